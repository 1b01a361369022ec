// What every LabelStore does, whatever it reads from.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseUriPattern } from './label-patterns.ts'
import type { LabelStore, StoredLabel } from './label-store.ts'

export type LabelStoreSubject = {
  store: LabelStore
  /** Stores it under the next number, replacing the row with the same (src, uri, val). */
  put: (label: Omit<StoredLabel, 'seq'>) => Promise<number> | number
}

const alice = 'did:plc:alice'
const bob = 'did:plc:bob'
const uris = [
  'at://did:plc:a/app.bsky.feed.post/1',
  'at://did:plc:a/app.bsky.feed.post/12',
  'at://did:plc:a/app_bsky/x%y\\z',
  'at://did:plc:a/appXbsky/x-y-z',
  'did:plc:a',
]

/** `make` gives an empty store for each test. */
export function labelStoreContract(
  make: () => Promise<LabelStoreSubject> | LabelStoreSubject,
): void {
  test('reads in rising order, a page at a time, from any position', async () => {
    const { store, put } = await make()
    assert.equal(await store.head(), 0)
    assert.deepEqual(await store.after(0, 10), [])
    for (const uri of uris) await put(labelOf({ uri }))
    assert.equal(await store.head(), 5)
    assert.deepEqual((await store.after(0, 2)).map(seqOf), [1, 2])
    assert.deepEqual((await store.after(2, 100)).map(seqOf), [3, 4, 5])
    assert.deepEqual(await store.after(5, 100), [])
  })

  test('gives a label back exactly as it was stored', async () => {
    const { store, put } = await make()
    const bare = labelOf({ uri: 'did:plc:a' })
    const full = { ...labelOf({ uri: 'did:plc:b' }), cid: 'bafyreia', neg: true }
    await put(bare)
    await put(full)
    assert.deepEqual(await store.after(0, 10), [
      { ...bare, seq: 1 },
      { ...full, seq: 2 },
    ])
  })

  test('a negation takes a new number and the label it negates is gone', async () => {
    const { store, put } = await make()
    await put(labelOf({ uri: 'did:plc:a' }))
    await put(labelOf({ uri: 'did:plc:b' }))
    await put({ ...labelOf({ uri: 'did:plc:a' }), neg: true })
    const labels = await store.after(0, 10)
    assert.deepEqual(labels.map(seqOf), [2, 3])
    assert.equal(labels[1]?.neg, true)
    assert.equal(await store.head(), 3)
  })

  test('finds by exact URI and by prefix; %, _ and \\ mean themselves', async () => {
    const { store, put } = await make()
    for (const uri of uris) await put(labelOf({ uri }))
    const find = async (...patterns: string[]): Promise<number[]> =>
      (
        await store.query({
          uriPatterns: patterns.map(parseUriPattern),
          sources: [],
          afterSeq: 0,
          limit: 250,
        })
      ).map(seqOf)
    assert.deepEqual(await find('*'), [1, 2, 3, 4, 5])
    assert.deepEqual(await find(uris[0] ?? ''), [1])
    assert.deepEqual(await find('at://did:plc:a/app.bsky.feed.post/1*'), [1, 2])
    assert.deepEqual(await find('at://did:plc:a/app_*'), [3])
    assert.deepEqual(await find('at://did:plc:a/app_bsky/x%*'), [3])
    assert.deepEqual(await find('at://did:plc:a/app_bsky/x%y\\z'), [3])
    assert.deepEqual(await find('%'), [])
    assert.deepEqual(await find('did:plc:a', 'at://did:plc:a/appX*'), [4, 5])
  })

  test('filters by source and goes on from a cursor', async () => {
    const { store, put } = await make()
    for (const src of [alice, bob, alice, bob]) {
      await put({ ...labelOf({ uri: `did:plc:${await store.head()}` }), src })
    }
    const query = { uriPatterns: [parseUriPattern('*')], afterSeq: 0, limit: 250 }
    assert.deepEqual((await store.query({ ...query, sources: [bob] })).map(seqOf), [2, 4])
    const rest = await store.query({ ...query, sources: [alice, bob], afterSeq: 2, limit: 1 })
    assert.deepEqual(rest.map(seqOf), [3])
  })

  test('wakes every waiting reader after a change, and nobody after they left', async () => {
    const { store, put } = await make()
    let left = 0
    const stopLeaving = store.onChange(() => (left += 1))
    const waits = Array.from({ length: 3 }, () => {
      const { promise, resolve } = Promise.withResolvers<void>()
      return { promise, stop: store.onChange(resolve) }
    })
    stopLeaving()
    await put(labelOf({ uri: 'did:plc:a' }))
    await Promise.all(waits.map(({ promise }) => promise))
    for (const { stop } of waits) stop()
    assert.equal(left, 0)
  })
}

function seqOf(label: StoredLabel): number {
  return label.seq
}

function labelOf({ uri }: { uri: string }): Omit<StoredLabel, 'seq'> {
  return {
    src: alice,
    uri,
    val: 'spam',
    neg: false,
    cts: '2026-11-21T05:00:00.000Z',
    sigHex: 'ab'.repeat(64),
    keyDid: 'did:key:zQ3shexample',
  }
}
