import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { decodeAll, encode } from '@atproto/lex-cbor'
import * as fc from 'fast-check'
import { lexicons } from '@atproto/api'
import {
  blobRef,
  blockCid,
  commitFrame,
  errorFrame,
  frameOf,
  rawCid,
  tidOf,
  type RelayOp,
} from '../testing/relay-frames.ts'
import type { FrameOp } from './commit-ops.ts'
import { decodeFrame, type CommitFrame, type Frame } from './frame.ts'

const did = 'did:plc:ewvi7nxzyoun6zhxrhs64oiz'
const time = '2026-11-21T12:00:00.000Z'
const timeMs = Date.parse(time)
const post = { $type: 'app.bsky.feed.post', text: 'hello', embed: { images: [blobRef('picture')] } }
const like = { $type: 'app.bsky.feed.like', subject: { uri: 'at://x', cid: 'y' } }

function commit(ops: RelayOp[]): CommitFrame {
  return asCommit(decodeFrame(commitFrame(7, { did, ops, time })))
}

function asCommit(frame: Frame): CommitFrame {
  assert.equal(frame.kind, 'commit', JSON.stringify(frame))
  return frame
}

function omitBlock(op: FrameOp): Omit<FrameOp, 'block'> {
  const { block, ...rest } = op
  assert.equal(block !== undefined, rest.cid !== undefined)
  return rest
}

describe('decodeFrame', () => {
  it('reads a commit with the records that may carry a blob', () => {
    const frame = commit([
      { action: 'create', path: 'app.bsky.feed.post/a', record: post },
      { action: 'update', path: 'app.bsky.feed.like/b', record: like },
      { action: 'delete', path: 'app.bsky.feed.post/c' },
    ])
    const block = encode(post)
    assert.deepEqual(
      { ...frame, ops: frame.ops.map((op) => omitBlock(op)) },
      {
        kind: 'commit',
        seq: 7,
        did,
        timeMs,
        rev: tidOf(7),
        faults: [],
        ops: [
          {
            action: 'create',
            collection: 'app.bsky.feed.post',
            rkey: 'a',
            cid: blockCid(block).toString(),
            record: post,
          },
          { action: 'update', collection: 'app.bsky.feed.like', rkey: 'b' },
          { action: 'delete', collection: 'app.bsky.feed.post', rkey: 'c' },
        ],
      },
    )
    assert.deepEqual(Buffer.from(frame.ops[0]?.block ?? []), Buffer.from(block))
  })

  it('tells of a missing block and keeps its siblings', () => {
    const frame = commit([
      { action: 'create', path: 'app.bsky.feed.post/a', record: post, withoutBlock: true },
      { action: 'create', path: 'app.bsky.feed.post/b', record: { ...post, text: 'other' } },
      { action: 'create', path: 'app.bsky.feed.like/c', record: like, withoutBlock: true },
    ])
    assert.deepEqual(frame.faults, [
      'no block for app.bsky.feed.post/a',
      'no block for app.bsky.feed.like/c',
    ])
    assert.deepEqual(
      frame.ops.map((op) => op.record !== undefined),
      [false, true, false],
    )
  })

  it('tells of a record that does not decode and keeps its bytes', () => {
    const deep = Buffer.concat([Buffer.alloc(200_000, 0x81), encode('blob')])
    const frame = commit([{ action: 'create', path: 'a.b.c/deep', block: deep }])
    assert.equal(frame.faults.length, 1)
    assert.equal(frame.ops[0]?.record, undefined)
    assert.equal(frame.ops[0]?.block?.length, deep.length)
  })

  it('of two blocks that claim one CID reads the one that may carry a blob', () => {
    const block = encode(post)
    const plain = Buffer.alloc(block.length, 0x61)
    for (const [first, second] of [
      [block, plain],
      [plain, block],
    ] as const) {
      const ops = [first, second].map((bytes, i) => ({
        action: 'create' as const,
        path: `app.bsky.feed.post/${i}`,
        block: bytes,
      }))
      const bytes = Buffer.from(commitFrame(7, { did, ops }))
      // From here on both blocks lie under the CID of the one with the blob.
      bytes.set(blockCid(block).bytes, bytes.lastIndexOf(blockCid(plain).bytes))
      assert.ok(asCommit(decodeFrame(bytes)).ops.some((op) => op.record !== undefined))
    }
  })

  it('tells of operations without valid paths, of cut-off CARs and of commits left out for size', () => {
    const paths = ['nopath', 'app.bsky.feed.post/', '/a', 'not a nsid/a', 'app.bsky.feed.post/a b']
    const bad = commit(paths.map((path) => ({ action: 'create', path, record: post })))
    assert.deepEqual([bad.ops.length, bad.faults.length], [0, paths.length])

    const body = { seq: 7, repo: did, rev: tidOf(1), time, ops: [], blocks: new Uint8Array() }
    const op = { action: 'create', path: 'app.bsky.feed.post/a', cid: rawCid('x') }
    for (const blocks of [Uint8Array.of(0x90), Uint8Array.of(1, 0xa0, 99, 1), null]) {
      const frame = asCommit(decodeFrame(frameOf('#commit', { ...body, ops: [op], blocks })))
      assert.equal(frame.faults.length, 2, String(blocks))
    }
    const tooBig = asCommit(decodeFrame(frameOf('#commit', { ...body, tooBig: true })))
    assert.deepEqual([tooBig.tooBig, tooBig.faults.length], [true, 1])
    assert.equal(asCommit(decodeFrame(frameOf('#commit', { ...body, ops: 1 }))).faults.length, 1)
  })

  it('reads the other kinds', () => {
    const common = { seq: 9, did, time }
    assert.deepEqual(decodeFrame(frameOf('#identity', common)), {
      kind: 'identity',
      seq: 9,
      did,
      timeMs,
    })
    assert.deepEqual(
      decodeFrame(frameOf('#account', { ...common, active: false, status: 'deleted' })),
      { kind: 'account', seq: 9, did, timeMs, active: false, status: 'deleted' },
    )
    const rev = tidOf(5)
    assert.deepEqual(decodeFrame(frameOf('#sync', { ...common, rev })), {
      kind: 'sync',
      seq: 9,
      did,
      timeMs,
      rev,
    })
    assert.deepEqual(decodeFrame(frameOf('#info', { name: 'OutdatedCursor' })), {
      kind: 'info',
      name: 'OutdatedCursor',
      message: '',
    })
    assert.deepEqual(decodeFrame(errorFrame('FutureCursor', 'no')), {
      kind: 'error',
      error: 'FutureCursor',
      message: 'no',
    })
    assert.deepEqual(decodeFrame(frameOf('#new', common)), {
      kind: 'unknown',
      t: '#new',
      seq: 9,
      timeMs,
    })
  })

  it('says what it cannot read, with the seq where that is known', () => {
    const seqOf = (bytes: Uint8Array): number | undefined => {
      const frame = decodeFrame(bytes)
      assert.equal(frame.kind, 'undecodable', JSON.stringify(frame))
      return (frame as { seq?: number }).seq
    }
    const identity = { seq: 3, did, time }
    assert.equal(seqOf(new Uint8Array()), undefined)
    assert.equal(seqOf(encode({ op: 1, t: '#identity' })), undefined)
    assert.equal(seqOf(Buffer.concat([frameOf('#identity', identity), encode(1)])), 3)
    assert.equal(seqOf(frameOf('#identity', { ...identity, did: 'did:plc:\u0000' })), 3)
    assert.equal(seqOf(frameOf('#identity', { ...identity, seq: -1 })), undefined)
    assert.equal(seqOf(frameOf('#sync', { ...identity, rev: 'x' })), 3)
    assert.equal(seqOf(Buffer.concat([encode({ op: 2 }), encode(identity)])), 3)
    assert.equal(seqOf(Buffer.alloc(100_000, 0x81)), undefined)
  })

  it('never throws, whatever the bytes', () => {
    const good = commitFrame(7, { did, ops: [{ action: 'create', path: 'a.b.c/d', record: post }] })
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => void decodeFrame(bytes)),
      { numRuns: 2_000 },
    )
    const flips = fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { maxLength: 4 })
    fc.assert(
      fc.property(flips, fc.nat(good.length), (changes, length) => {
        const bytes = Buffer.from(good)
        for (const [at, value] of changes) bytes[at] = value
        decodeFrame(bytes.subarray(0, length))
      }),
      { numRuns: 2_000 },
    )
  })
})

describe('the frames of the fake relay', () => {
  it('have bodies that the published lexicon accepts', () => {
    const account = { seq: 1, did, time, active: false, status: 'deleted' }
    const sync = { seq: 1, did, time, rev: tidOf(1), blocks: new Uint8Array(1) }
    const ops: RelayOp[] = [
      { action: 'create', path: 'app.bsky.feed.post/a', record: post },
      { action: 'delete', path: 'app.bsky.feed.post/b' },
    ]
    const frames = {
      commit: commitFrame(7, { did, ops }),
      account: frameOf('#account', account),
      identity: frameOf('#identity', { seq: 1, did, time }),
      sync: frameOf('#sync', sync),
      info: frameOf('#info', { name: 'OutdatedCursor', message: 'x' }),
    }
    for (const [name, bytes] of Object.entries(frames)) {
      const [, body] = [...decodeAll(bytes)]
      const result = lexicons.validate(`com.atproto.sync.subscribeRepos#${name}`, body)
      assert.ok(result.success, `${name}: ${JSON.stringify(result)}`)
      assert.equal(decodeFrame(bytes).kind, name)
    }
  })
})
