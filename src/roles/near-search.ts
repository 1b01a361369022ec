// Which of many PDQ hashes lie near others: by comparing all of them while they are few, by the bank index's own search
// when they are many. Exact both ways.
import { createPdqIndex } from '../matching/pdq-index.ts'
import { indexedRadiusMax } from '../matching/pdq-searcher.ts'
import { createHammingScan } from './hamming-scan.ts'
import type { OnPair } from './hamming-scan.ts'

export type NearSearch = AsyncDisposable & {
  /** Tells every pair of a query and a row within the radius once, in no order. */
  search(queries: Uint8Array, onPair: OnPair): Promise<void>
}

/** Above this the index is faster than comparing all; it is no use beyond its radius. */
export const scannedRowsMax = 50_000
const rowsPerBatch = 65_536

/** `hashes`: 32 bytes each; a pair names them by their position. */
export async function createNearSearch(hashes: Uint8Array, radius: number): Promise<NearSearch> {
  const rows = hashes.length / 32
  if (rows > scannedRowsMax && radius <= indexedRadiusMax) return indexed(hashes, radius)
  const scan = createHammingScan(rows)
  scan.setRows(hashes)
  return {
    async search(queries, onPair) {
      scan.search(queries, radius, onPair)
    },
    async [Symbol.asyncDispose]() {},
  }
}

async function indexed(hashes: Uint8Array, radius: number): Promise<NearSearch> {
  const index = createPdqIndex()
  await index.load(batchesOf(hashes))
  return {
    async search(queries, onPair) {
      for (const hit of index.search(queries, radius))
        onPair(hit.signalId - 1, hit.query, hit.distance)
    },
    [Symbol.asyncDispose]: () => index[Symbol.asyncDispose](),
  }
}

/** Signal ids begin at 1, as the database's do. */
async function* batchesOf(hashes: Uint8Array) {
  const rows = hashes.length / 32
  for (let from = 0; from < rows; from += rowsPerBatch) {
    const count = Math.min(rowsPerBatch, rows - from)
    yield {
      type: 'pdq' as const,
      count,
      values: hashes.subarray(from * 32, (from + count) * 32),
      signalIds: Uint32Array.from({ length: count }, (_, i) => from + i + 1),
      contentIds: new Uint32Array(count),
      bankIds: new Uint32Array(count),
    }
  }
}
