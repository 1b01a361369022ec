import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { SignalBatch } from '../domain/signal-batch.ts'
import { layOut, pagesFor } from './layout.ts'
import { createPdqIndex } from './pdq-index.ts'
import type { PdqIndex } from './pdq-index.ts'
import { flipBits, naiveSearch, randomHash, randomWords, sortHits, toBatch } from './pdq-model.ts'
import type { ModelRow } from './pdq-model.ts'

const seed = Number(process.env['BLOBWATCH_TEST_SEED'] ?? 20261121)

async function* batchesOf(rows: readonly ModelRow[], size: number): AsyncGenerator<SignalBatch> {
  for (let from = 0; from < rows.length; from += size) yield toBatch(rows.slice(from, from + size))
}

function makeRows(count: number, hashOf: (index: number) => Uint8Array): ModelRow[] {
  return Array.from({ length: count }, (_, index) => ({
    signalId: index * 3 + 1,
    contentId: index + 1,
    bankId: (index % 70) * 1000 + 1,
    hash: hashOf(index),
  }))
}

function assertSame(
  index: PdqIndex,
  rows: Iterable<ModelRow>,
  queries: readonly Uint8Array[],
  radius: number,
): number {
  const found = sortHits(index.search(Buffer.concat(queries), radius))
  const expected = sortHits(naiveSearch(rows, queries, radius))
  assert.deepEqual(found, expected, `radius ${radius}`)
  return expected.length
}

/** Data sets: what makes one hash after the other. */
const kinds: Record<string, (random: () => number) => () => Uint8Array> = {
  uniform: (random) => () => randomHash(random),
  'near-duplicates': (random) => {
    const centre = oneOfTwenty(random)
    return () => flipBits(centre(), random() % 40, random)
  },
  'half the bits equal': (random) => () => randomHash(random).fill(0xa5, 0, 16),
  flat: (random) => () =>
    flipBits(new Uint8Array(32).fill(random() % 2 === 0 ? 0 : 255), random() % 3, random),
  copies: (random) => oneOfTwenty(random),
}

function oneOfTwenty(random: () => number): () => Uint8Array {
  const hashes = Array.from({ length: 20 }, () => randomHash(random))
  return () => hashes[random() % hashes.length]!
}

for (const [kind, maker] of Object.entries(kinds)) {
  test(`finds what a naive scan finds at every radius: ${kind}`, async () => {
    const random = randomWords(seed)
    const make = maker(random)
    const rows = makeRows(3000, make)
    await using index = createPdqIndex()
    await index.load(batchesOf(rows, 700))
    const added = makeRows(300, make).map((row) => ({ ...row, signalId: row.signalId + 20_001 }))
    index.add(toBatch(added))
    const all = [...rows, ...added]
    let hits = 0
    for (let radius = 0; radius <= 40; radius++) {
      const near = all[random() % all.length]!.hash
      const queries = [make(), flipBits(near, radius, random), flipBits(near, radius + 1, random)]
      hits += assertSame(index, all, queries, radius)
    }
    hits += assertSame(index, all, [make(), make()], 256)
    assert.ok(hits > 6000)
  })
}

test('finds all of 20,000 neighbours and 10,000 copies, more than one search writes down', async () => {
  const random = randomWords(seed)
  const centre = randomHash(random)
  const near = makeRows(20_000, () => flipBits(centre, 1 + (random() % 15), random))
  const copies = near.slice(0, 10_000).map((row) => ({
    ...row,
    signalId: row.signalId + 100_000,
    hash: centre,
  }))
  await using index = createPdqIndex()
  await index.load(batchesOf([...near, ...copies], 4000))
  for (const radius of [0, 3, 14, 20, 31]) {
    assertSame(index, [...near, ...copies], [flipBits(centre, 2, random), centre], radius)
  }
  index.remove(Uint32Array.from(copies.slice(0, 9999), (row) => row.signalId))
  assertSame(index, [...near, copies[9999]!], [centre], 31)
})

test('answers 40 queries at once, each under its number', async () => {
  const random = randomWords(seed)
  const rows = makeRows(1000, () => randomHash(random))
  await using index = createPdqIndex()
  await index.load(batchesOf(rows, 1000))
  const queries = rows.slice(0, 40).map((row) => flipBits(row.hash, 20, random))
  assert.equal(assertSame(index, rows, queries, 31), 40)
})

test('finds planted neighbours among 200,000 rows and agrees with its own linear scan', async () => {
  const random = randomWords(seed)
  const rows = makeRows(200_000, () => randomHash(random))
  await using index = createPdqIndex()
  await index.load(batchesOf(rows, 50_000))
  for (let n = 0; n < 3000; n++) {
    const row = rows[random() % rows.length]!
    const distance = n % 32
    const query = flipBits(row.hash, distance, random)
    const found = index.search(query, distance + (random() % (32 - distance)))
    const { signalId, contentId, bankId } = row
    assert.deepEqual(found, [{ query: 0, distance, signalId, contentId, bankId }])
    if (n % 300 === 0) assert.deepEqual(index.search(query, 32), found)
  }
})

test('finds nothing when it is empty, and takes rows without having been loaded', async () => {
  await using index = createPdqIndex()
  assert.deepEqual(index.search(new Uint8Array(32), 31), [])
  const row = { signalId: 7, contentId: 8, bankId: 9, hash: new Uint8Array(32).fill(3) }
  index.add(toBatch([row]))
  assert.equal(assertSame(index, [row], [row.hash], 0), 1)
  index.remove(Uint32Array.of(7, 7, 8, 4_000_000_000))
  assert.deepEqual(index.search(row.hash, 31), [])
  assert.equal(index.status().signals, 0)
})

test('is empty after a load that failed, and can be loaded again', async () => {
  const random = randomWords(seed)
  const rows = makeRows(500, () => randomHash(random))
  await using index = createPdqIndex()
  await assert.rejects(
    index.load(
      (async function* () {
        yield toBatch(rows)
        throw new Error('the database is gone')
      })(),
    ),
    /the database is gone/,
  )
  assert.equal(index.status().signals, 0)
  assert.deepEqual(index.search(rows[0]!.hash, 31), [])
  await index.load(batchesOf(rows, 500))
  assertSame(index, rows, [rows[0]!.hash], 31)
})

test('says that more than about 30 million hashes do not fit, and fits 30 million', () => {
  const endOf = (slots: number) => layOut({ slots, overflow: 0, liveIds: slots }).end
  assert.ok(pagesFor(endOf(30_000_000)) <= 65_536)
  assert.throws(() => pagesFor(endOf(33_000_000)), /do not fit into one memory of 4 GB/)
})

test('refuses bank ids that it cannot keep', async () => {
  await using index = createPdqIndex()
  const row = { signalId: 1, contentId: 1, bankId: 2 ** 31, hash: new Uint8Array(32) }
  assert.throws(() => index.add(toBatch([row])), RangeError)
})

test('a million random adds, removals and lookups agree with a naive model through many rebuilds', async () => {
  const random = randomWords(seed)
  const centres = Array.from({ length: 400 }, () => randomHash(random))
  const model = new Map<number, ModelRow>()
  const ids: number[] = []
  await using index = createPdqIndex({ pendingMax: 600 })
  await index.load(batchesOf([], 1))
  let nextId = 1
  let operations = 0
  let lookups = 0
  for (let round = 0; operations < 1_000_000; round++) {
    const added = Array.from({ length: 1 + (random() % 300) }, () => ({
      signalId: nextId++,
      contentId: random(),
      bankId: random() % 1000,
      hash: flipBits(centres[random() % centres.length]!, random() % 20, random),
    }))
    index.add(toBatch(added))
    for (const row of added) {
      model.set(row.signalId, row)
      ids.push(row.signalId)
    }
    const removed = new Uint32Array(model.size > 1500 ? random() % 600 : random() % 20)
    for (let n = 0; n < removed.length; n++) {
      const at = random() % Math.max(ids.length, 1)
      removed[n] = ids[at] ?? 0
      ids[at] = ids[ids.length - 1]!
      ids.pop()
      model.delete(removed[n]!)
    }
    index.remove(removed)
    const queries = Array.from({ length: 1 + (random() % 2) }, () =>
      flipBits(centres[random() % centres.length]!, random() % 20, random),
    )
    assertSame(index, model.values(), queries, random() % 34)
    lookups += queries.length
    operations += added.length + removed.length + queries.length
    if (round % 8 === 0) await new Promise((resolve) => setImmediate(resolve))
    assert.equal(index.status().signals, model.size)
  }
  assert.ok(index.status().rebuilds > 5, `${index.status().rebuilds} rebuilds`)
  assert.ok(lookups > 3000)
})
