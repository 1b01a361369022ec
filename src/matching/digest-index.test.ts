import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { SignalBatch } from '../domain/signal-batch.ts'
import { createDigestIndex } from './digest-index.ts'
import { hashOf } from './digest-key.ts'

const width = 16

/** Signal ids from `firstId` on, content = id + 1, bank = id % 5. */
function batchFrom(firstId: number, values: Uint8Array): SignalBatch {
  const count = values.length / width
  const ids = Uint32Array.from({ length: count }, (_, i) => firstId + i)
  return {
    type: 'md5',
    count,
    values,
    signalIds: ids,
    contentIds: ids.map((id) => id + 1),
    bankIds: ids.map((id) => id % 5),
  }
}

async function* stream(batch: SignalBatch): AsyncGenerator<SignalBatch> {
  yield batch
}

const idsFound = (index: ReturnType<typeof createDigestIndex>, query: Uint8Array) =>
  index
    .search(query, 0)
    .map(({ signalId }) => signalId)
    .toSorted((a, b) => a - b)

test('finds every row and no other, after many were removed and their places filled', async () => {
  await using index = createDigestIndex({ type: 'md5' })
  const values = new Uint8Array(randomBytes(20_000 * width))
  await index.load(stream(batchFrom(1, values.subarray(0, 12_000 * width))), 12_000)
  index.add(batchFrom(12_001, values.subarray(12_000 * width)))
  const isGone = (id: number) => id % 3 === 0
  index.remove(Uint32Array.from({ length: 20_000 }, (_, i) => i + 1).filter(isGone))
  assert.equal(index.status().rebuilding, true)
  for (let turns = 0; index.status().rebuilding || turns < 2; turns++) {
    for (let n = 0; n < 20_000; n += 7) {
      const hits = index.search(values.subarray(n * width, (n + 1) * width), 0)
      const expected = {
        signalId: n + 1,
        contentId: n + 2,
        bankId: (n + 1) % 5,
        query: 0,
        distance: 0,
      }
      assert.deepEqual(hits, isGone(n + 1) ? [] : [expected])
    }
    await sleep(1)
  }
  assert.equal(index.status().signals, 20_000 - 6666)
  assert.equal(index.status().rebuilds, 1)
  assert.equal(index.snapshot().count, 20_000 - 6666)
})

test('answers each of many queries, and a value that is held twice with both', async () => {
  await using index = createDigestIndex({ type: 'md5' })
  const values = new Uint8Array(3 * width).fill(7, width)
  index.add(batchFrom(10, values))
  const queries = new Uint8Array(2 * width).fill(7, width)
  const hits = index.search(queries, 0).map(({ signalId, query }) => `${query}:${signalId}`)
  assert.deepEqual(hits.toSorted(), ['0:10', '1:11', '1:12'])
})

test('a list of values with one beginning or one end costs no more than any other', async () => {
  const random = new Uint8Array(randomBytes(50_000 * width))
  const shapes = [random, random.slice(), random.slice()]
  for (let n = 0; n < 50_000; n++) {
    shapes[1]!.fill(0, n * width, n * width + 12)
    shapes[2]!.fill(0, n * width + 4, (n + 1) * width)
  }
  for (const values of shapes) {
    const words = new Uint32Array(values.buffer)
    const chains = new Uint32Array(4096)
    for (let n = 0; n < 50_000; n++) chains[hashOf(words, n * 4, 4, [1, 2]) & 4095]! += 1
    assert.ok(Math.max(...chains) < 50, `${Math.max(...chains)} in one bucket, 12 on average`)
  }
})

test('a value that is held fifty thousand times is found so often, and goes away again', async () => {
  await using index = createDigestIndex({ type: 'md5' })
  const other = new Uint8Array(width).fill(3)
  await index.load(stream(batchFrom(1, new Uint8Array(50_000 * width).fill(9))))
  index.add(batchFrom(60_000, other))
  assert.equal(index.search(new Uint8Array(width).fill(9), 0).length, 50_000)
  index.remove(Uint32Array.from({ length: 49_999 }, (_, i) => i + 1))
  while (index.status().rebuilding) await sleep(5)
  assert.deepEqual(idsFound(index, new Uint8Array(width).fill(9)), [50_000])
  assert.deepEqual(idsFound(index, other), [60_000])
})

test('keeps about thirty bytes a row, and lets others go first while it loads', async () => {
  await using index = createDigestIndex({ type: 'md5' })
  const rows = 300_000
  const values = new Uint8Array(randomBytes(rows * width))
  using delay = monitorEventLoopDelay({ resolution: 5 })
  delay.enable()
  await index.load(stream(batchFrom(1, values)), rows)
  assert.ok(index.status().bytes / rows < 33, `${index.status().bytes / rows} bytes a row`)
  // A slice takes about a millisecond; the rest is for a busy machine.
  assert.ok(delay.percentile(50) / 1e6 < 30, `${delay.percentile(50) / 1e6} ms`)
})

test('a load that fails leaves nothing behind', async () => {
  await using index = createDigestIndex({ type: 'md5' })
  const value = new Uint8Array(width)
  const failing = async function* () {
    yield batchFrom(1, value)
    throw new Error('the database went away')
  }
  await assert.rejects(index.load(failing()), /went away/)
  assert.deepEqual(index.search(value, 0), [])
  assert.equal(index.status().signals, 0)
})

test('refuses a radius', async () => {
  await using index = createDigestIndex({ type: 'md5' })
  assert.throws(() => index.search(new Uint8Array(width), 1), /equal or not/)
})
