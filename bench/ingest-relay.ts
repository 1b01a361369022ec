// The relay of the ingest bench, a process of its own: encodes every frame first, then serves them as fast as they are read.
// One frame in ten is a post with a picture; the rest is what a firehose mostly carries.
import { startFakeRelay } from '../src/testing/fake-relay.ts'
import { blobRef, commitFrame, rawCid, tidOf } from '../src/testing/relay-frames.ts'
import type { RelayOp } from '../src/testing/relay-frames.ts'
import { helperInput, tellReady } from './helper-process.ts'

export type IngestRelayInput = { frames: number }
export type IngestRelayReady = { url: string; bytes: number }

const framesPerAccount = 10
const createdAt = '2026-11-21T00:00:00.000Z'

const { frames } = helperInput() as IngestRelayInput
const relay = await startFakeRelay()
let bytes = 0
for (let seq = 1; seq <= frames; seq++) {
  const did = `did:plc:${tidOf(seq % Math.ceil(frames / framesPerAccount)).padStart(24, 'a')}`
  const frame = commitFrame(seq, { did, ops: [opOf(seq)], time: createdAt })
  bytes += frame.length
  relay.raw(frame, seq)
}
tellReady({ url: relay.url, bytes } satisfies IngestRelayReady)

function opOf(seq: number): RelayOp {
  const rkey = tidOf(seq)
  const subject = { uri: `at://did:plc:${'b'.repeat(24)}/app.bsky.feed.post/${rkey}` }
  switch (seq % 10) {
    case 0:
      return create('app.bsky.feed.post', rkey, {
        text: 'Look at this picture from this morning, it came out well after all.',
        embed: {
          $type: 'app.bsky.embed.images',
          images: [{ alt: 'a picture', image: blobRef(`picture ${seq}`) }],
        },
      })
    case 1:
    case 2:
      return create('app.bsky.feed.post', rkey, {
        text: 'A post without a picture, about as long as most people write in one.',
        langs: ['en'],
      })
    case 3:
      return create('app.bsky.graph.follow', rkey, { subject: `did:plc:${'c'.repeat(24)}` })
    case 4:
      return create('app.bsky.feed.repost', rkey, { subject: withCid(subject, seq) })
    case 5:
      return { action: 'delete', path: `app.bsky.feed.like/${rkey}` }
    default:
      return create('app.bsky.feed.like', rkey, { subject: withCid(subject, seq) })
  }
}

function create(collection: string, rkey: string, fields: object): RelayOp {
  return {
    action: 'create',
    path: `${collection}/${rkey}`,
    record: { $type: collection, createdAt, ...fields },
  }
}

function withCid(subject: { uri: string }, seq: number): object {
  return { ...subject, cid: rawCid(`record ${seq}`).toString() }
}
