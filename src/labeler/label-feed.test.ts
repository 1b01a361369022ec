import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { createHeadPoller } from './head-poller.ts'
import { followLabels } from './label-feed.ts'
import type { LabelStore } from './label-store.ts'
import { createMemoryLabelStore } from './memory-label-store.ts'

const onError = (): void => undefined

test('follows across pages and waits at the end for what comes next', async () => {
  const store = createMemoryLabelStore()
  const counted = { reads: 0 }
  const counting: LabelStore = {
    ...store,
    after(seq, limit) {
      counted.reads += 1
      return store.after(seq, limit)
    },
  }
  for (let n = 1; n <= 7; n += 1) store.put(labelOf(n))
  const stop = new AbortController()
  const seen: number[] = []
  const reading = (async () => {
    const feed = followLabels({
      store: counting,
      after: 2,
      signal: stop.signal,
      onError,
      pageRows: 3,
    })
    for await (const label of feed) seen.push(label.seq)
  })()
  while (seen.length < 5) await turn()
  await turn()
  const { reads } = counted
  for (let turns = 0; turns < 20; turns += 1) await turn()
  assert.equal(counted.reads, reads, 'an idle reader does not read')
  store.put(labelOf(8))
  while (seen.length < 6) await turn()
  stop.abort()
  await reading
  assert.deepEqual(seen, [3, 4, 5, 6, 7, 8])
})

test('misses nothing that is stored while it reads', async () => {
  const store = createMemoryLabelStore()
  let stored = 0
  const busy: LabelStore = {
    ...store,
    async after(seq, limit) {
      const page = await store.after(seq, limit)
      // Between the read and the wait: a careless reader would sleep through this.
      if (stored < 20) store.put(labelOf((stored += 1)))
      return page
    },
  }
  const stop = new AbortController()
  const seen: number[] = []
  for await (const label of followLabels({ store: busy, after: 0, signal: stop.signal, onError })) {
    seen.push(label.seq)
    if (seen.length === 20) stop.abort()
  }
  assert.deepEqual(
    seen,
    Array.from({ length: 20 }, (_, n) => n + 1),
  )
})

test(
  'pauses while the database is away and goes on where it was',
  { timeout: 10_000 },
  async () => {
    const store = createMemoryLabelStore()
    store.put(labelOf(1))
    const errors: unknown[] = []
    const flaky: LabelStore = {
      ...store,
      after: (seq, limit) =>
        errors.length < 1 ? Promise.reject(new Error('away')) : store.after(seq, limit),
    }
    const stop = new AbortController()
    const feed = followLabels({
      store: flaky,
      after: 0,
      signal: stop.signal,
      onError: (error) => errors.push(error),
    })
    for await (const label of feed) {
      assert.equal(label.seq, 1)
      break
    }
    assert.equal(errors.length, 1)
  },
)

test('one poller asks once an interval however many wait, and not at all when nobody does', async () => {
  let asked = 0
  let head = 0
  const poller = createHeadPoller({
    head: async () => {
      asked += 1
      return head
    },
    everyMs: 1,
    onError,
  })
  const woken = { count: 0 }
  const stops = Array.from({ length: 50 }, () => poller.onChange(() => (woken.count += 1)))
  while (woken.count < 50) await turn()
  assert.equal(asked, 1)
  head = 1
  while (woken.count < 100) await turn()
  assert.ok(asked < 50)
  for (const stop of stops) stop()
  await new Promise((resolve) => setTimeout(resolve, 10))
  const before = asked
  await new Promise((resolve) => setTimeout(resolve, 20))
  assert.equal(asked, before)
  // And it starts again for the next one.
  poller.onChange(() => (woken.count += 1))
  head = 2
  while (woken.count < 101) await turn()
})

function labelOf(n: number): Parameters<ReturnType<typeof createMemoryLabelStore>['put']>[0] {
  const cts = '2026-11-21T05:00:00.000Z'
  const keyDid = 'did:key:zQ3shexample'
  return {
    src: 'did:plc:a',
    uri: `did:plc:${n}`,
    val: 'spam',
    neg: false,
    cts,
    sigHex: 'ab',
    keyDid,
  }
}
