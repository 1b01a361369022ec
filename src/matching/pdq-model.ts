// What the tests and benches of the PDQ index hold it against: generated hashes, and a scan that is right by its looks.
import type { SignalBatch } from '../domain/signal-batch.ts'
import type { RowHit, SignalRow } from './index-part.ts'

/** Uniform u32 from a seed (xorshift, Marsaglia 2003); the same on every machine. */
export function randomWords(seed: number): () => number {
  let state = seed | 1
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return state >>> 0
  }
}

export function randomHash(random: () => number): Uint8Array {
  return new Uint8Array(Uint32Array.from({ length: 8 }, random).buffer)
}

/** A copy with `distance` different bits. */
export function flipBits(hash: Uint8Array, distance: number, random: () => number): Uint8Array {
  const flipped = hash.slice()
  const bits = new Set<number>()
  while (bits.size < distance) bits.add(random() % 256)
  for (const bit of bits) flipped[bit >> 3]! ^= 1 << (bit & 7)
  return flipped
}

export type ModelRow = SignalRow & { hash: Uint8Array }

export function toBatch(rows: readonly ModelRow[]): SignalBatch {
  const values = new Uint8Array(rows.length * 32)
  for (const [index, row] of rows.entries()) values.set(row.hash, index * 32)
  return {
    type: 'pdq',
    count: rows.length,
    values,
    signalIds: Uint32Array.from(rows, (row) => row.signalId),
    contentIds: Uint32Array.from(rows, (row) => row.contentId),
    bankIds: Uint32Array.from(rows, (row) => row.bankId),
  }
}

export function naiveSearch(
  rows: Iterable<ModelRow>,
  queries: readonly Uint8Array[],
  radius: number,
): RowHit[] {
  const hits: RowHit[] = []
  for (const { hash, ...row } of rows) {
    for (const [query, value] of queries.entries()) {
      const distance = naiveDistance(hash, value)
      if (distance <= radius) hits.push({ query, distance, ...row })
    }
  }
  return hits
}

export function naiveDistance(a: Uint8Array, b: Uint8Array): number {
  let distance = 0
  for (let byte = 0; byte < 32; byte++) distance += onesOf[a[byte]! ^ b[byte]!]!
  return distance
}

const onesOf = Uint8Array.from(
  { length: 256 },
  (_, byte) => byte.toString(2).replaceAll('0', '').length,
)

export function sortHits(hits: readonly RowHit[]): RowHit[] {
  return hits
    .map(({ query, distance, signalId, contentId, bankId }) => ({
      query,
      distance,
      signalId,
      contentId,
      bankId,
    }))
    .toSorted((a, b) => a.query - b.query || a.signalId - b.signalId)
}

/** `count` rows in batches as a database hands them over: signal ids from `firstId` on, a thousand banks. */
export function* generateBatches(
  count: number,
  { seed, firstId = 1, batchRows = 65_536 }: { seed: number; firstId?: number; batchRows?: number },
): Generator<SignalBatch> {
  const random = randomWords(seed)
  for (let from = 0; from < count; from += batchRows) {
    const rows = Math.min(batchRows, count - from)
    const words = new Uint32Array(rows * 8)
    for (let word = 0; word < words.length; word++) words[word] = random()
    yield {
      type: 'pdq',
      count: rows,
      values: new Uint8Array(words.buffer),
      signalIds: Uint32Array.from({ length: rows }, (_, row) => firstId + from + row),
      contentIds: Uint32Array.from({ length: rows }, (_, row) => firstId + from + row),
      bankIds: Uint32Array.from({ length: rows }, (_, row) => ((from + row) % 1000) + 1),
    }
  }
}

/** Makes rows of bank 1 with random hashes, each under the next id. */
export function rowMaker(random: () => number): (count: number) => ModelRow[] {
  let nextId = 1
  return (count) =>
    Array.from({ length: count }, () => ({
      signalId: nextId,
      contentId: nextId++,
      bankId: 1,
      hash: randomHash(random),
    }))
}
