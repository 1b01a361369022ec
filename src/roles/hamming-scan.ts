// Compares 32-byte hashes with others, each with each, by the kernel: a million pairs in about a millisecond.
import { createMemory, instantiate, pageBytes } from '../matching/kernel.ts'

export type OnPair = (row: number, query: number, distance: number) => void

export type HammingScan = {
  /** At most `rowsMax` hashes, side by side; replaces those before. */
  setRows(hashes: Uint8Array): void
  /** Tells every pair of a query and a row from `from` on that lie within the radius, once, in no order. */
  search(queries: Uint8Array, radius: number, onPair: OnPair, from?: number): void
}

export const hashBytes = 32
const queriesPerPass = 32
const pairWords = 3
const pairsPerPass = 32_768

export function createHammingScan(rowsMax: number): HammingScan {
  const queriesAt = rowsMax * hashBytes
  const pairsAt = queriesAt + queriesPerPass * hashBytes
  const nextAt = pairsAt + pairsPerPass * pairWords * 4
  const memory = createMemory(Math.ceil((nextAt + 4) / pageBytes))
  const kernel = instantiate(memory)
  const bytes = new Uint8Array(memory.buffer)
  const words = new Uint32Array(memory.buffer)
  let rows = 0
  return {
    setRows(hashes) {
      rows = hashes.length / hashBytes
      if (rows > rowsMax) throw new RangeError(`at most ${rowsMax} hashes`)
      bytes.set(hashes)
    },
    search(queries, radius, onPair, from = 0) {
      const count = queries.length / hashBytes
      for (let first = 0; first < count; first += queriesPerPass) {
        const batch = Math.min(queriesPerPass, count - first)
        bytes.set(queries.subarray(first * hashBytes, (first + batch) * hashBytes), queriesAt)
        for (let at = from; at < rows; at = words[nextAt / 4] as number) {
          const pairs = kernel.scanMany(
            0,
            at,
            rows,
            queriesAt,
            batch,
            radius,
            pairsAt,
            pairsPerPass,
            nextAt,
          )
          for (let pair = pairsAt / 4; pair < pairsAt / 4 + pairs * pairWords; pair += pairWords)
            onPair(
              words[pair + 1] as number,
              first + (words[pair] as number),
              words[pair + 2] as number,
            )
        }
      }
    },
  }
}
