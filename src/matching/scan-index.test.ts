import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { SignalBatch } from '../domain/signal-batch.ts'
import { signalBytes } from '../domain/signal-batch.ts'
import { createScanIndex } from './scan-index.ts'

function batchFrom(type: 'pdq' | 'clip', firstId: number, values: Uint8Array): SignalBatch {
  const count = values.length / signalBytes[type]
  const ids = Uint32Array.from({ length: count }, (_, i) => firstId + i)
  return { type, count, values, signalIds: ids, contentIds: ids, bankIds: ids.map(() => 70_000) }
}

const bitsOf = Uint8Array.from(
  { length: 256 },
  (_, byte) => byte.toString(2).replaceAll('0', '').length,
)

function bitsBetween(a: Uint8Array, b: Uint8Array): number {
  let bits = 0
  for (let i = 0; i < a.length; i++) bits += bitsOf[a[i]! ^ b[i]!]!
  return bits
}

for (const type of ['pdq', 'clip'] as const) {
  const width = signalBytes[type]

  test(`finds the ${type} rows that a naive look finds, also while holes are filled`, async () => {
    await using index = createScanIndex({ type })
    const rows = 4000
    const values = new Uint8Array(randomBytes(rows * width))
    index.add(batchFrom(type, 1, values.subarray(0, 1500 * width)))
    index.add(batchFrom(type, 1501, values.subarray(1500 * width)))
    const gone = new Set(Array.from({ length: 1800 }, (_, i) => 1 + ((i * 7) % rows)))
    index.remove(Uint32Array.from(gone))
    const radius = width * 4 - 20 // near the middle, so that many are found
    const queries = new Uint8Array(randomBytes(35 * width))
    const expected = new Set<string>()
    for (let q = 0; q < 35; q++)
      for (let n = 0; n < rows; n++) {
        const query = queries.subarray(q * width, (q + 1) * width)
        const distance = bitsBetween(query, values.subarray(n * width, (n + 1) * width))
        if (distance <= radius && !gone.has(n + 1)) expected.add(`${q} ${n + 1} ${distance}`)
      }
    for (const wasRebuilt of [false, true]) {
      if (wasRebuilt) while (index.status().rebuilding) await sleep(1)
      const hits = index.search(queries, radius)
      assert.equal(hits.length, expected.size)
      for (const { query, signalId, distance, bankId } of hits) {
        assert.ok(expected.has(`${query} ${signalId} ${distance}`))
        assert.equal(bankId, 70_000)
      }
    }
    assert.equal(index.status().signals, rows - gone.size)
    assert.equal(index.status().rebuilds, 1)
  })
}

test('finds more rows than one answer of the kernel holds', async () => {
  await using index = createScanIndex({ type: 'clip' })
  index.add(batchFrom('clip', 1, new Uint8Array(10_000 * 64)))
  const hits = index.search(new Uint8Array(64), 0)
  assert.deepEqual(
    hits.map(({ signalId }) => signalId),
    Array.from({ length: 10_000 }, (_, i) => i + 1),
  )
})
