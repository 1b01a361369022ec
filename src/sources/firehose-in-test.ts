// The firehose followed from a relay in memory.
import { startFakeRelay, type FakeRelay } from '../testing/fake-relay.ts'
import { blobRef } from '../testing/relay-frames.ts'
import { createFirehose } from './firehose.ts'
import type { FirehoseOptions, TakenBatch } from './firehose-options.ts'
import { memoryIntake, type MemoryIntake } from './memory-intake.ts'

export const alice = 'did:plc:ewvi7nxzyoun6zhxrhs64oiz'
export const labeler = 'did:plc:ar7c4by46qjdydhdevvrndac'
export const host = 'https://relay.example'
export const quiet = { info: () => undefined, warn: () => undefined }

type Setting = {
  relay: FakeRelay
  intake: MemoryIntake
  taken: TakenBatch[]
  endings: string[]
  stop: AbortController
  ended: Promise<'fenced' | 'stopped'>
}

/** A relay, a firehose that follows it, and what came of it. */
export async function follow(
  story: (setting: Setting) => Promise<void>,
  options: Omit<Partial<FirehoseOptions>, 'onSync'> & {
    stored?: Partial<MemoryIntake['stored']>
    prepare?: (relay: FakeRelay) => unknown
    onSync?: (intake: MemoryIntake) => NonNullable<FirehoseOptions['onSync']>
  } = {},
): Promise<void> {
  const { stored, prepare, onSync, ...rest } = options
  await using relay = await startFakeRelay()
  prepare?.(relay)
  const intake = memoryIntake(stored)
  const taken: TakenBatch[] = []
  const endings: string[] = []
  const stop = new AbortController()
  const metrics = {
    taken: (batch: TakenBatch) => void taken.push(batch),
    disconnected: (reason: string) => void endings.push(reason),
  }
  const told = onSync === undefined ? {} : { onSync: onSync(intake) }
  const ended = firehose(relay, { ...intake, metrics, ...told, ...rest }).run(stop.signal)
  try {
    await story({ relay, intake, taken, endings, stop, ended })
  } finally {
    stop.abort()
    await ended
  }
}

export function firehose(
  relay: Pick<FakeRelay, 'url'>,
  options: Pick<FirehoseOptions, 'takeIn' | 'loadCursor'> & Partial<FirehoseOptions>,
) {
  return createFirehose({
    url: relay.url.replace('ws', 'http'),
    host,
    ignoredDids: new Set([labeler]),
    clock: Date.now,
    log: quiet,
    random: () => 1,
    times: { heartbeatMs: 150 },
    ...options,
  })
}

export function post(relay: FakeRelay, name: string): number {
  const rkey = name.replaceAll(' ', '-')
  const record = { $type: 'app.bsky.feed.post', text: name, embed: { image: blobRef(name) } }
  return relay.commit({
    did: alice,
    ops: [{ action: 'create', path: `app.bsky.feed.post/${rkey}`, record }],
  })
}
