// Hamming scans over values in a memory of its own: the kernel, the place for queries and the place for hits.
import { createMemory, instantiate, pageBytes } from './kernel.ts'

export type Scanner = {
  /** Where values may lie: from `valuesAt` on. Grows by `reserve`; ask for a new view after that. */
  bytes(): Uint8Array
  makeRoom(bytes: number): void
  /** Calls `visit` for each pair of query and value within `radius` bits, once each, in no order. */
  scan(
    values: { at: number; count: number },
    search: { queries: Uint8Array; radius: number },
    visit: (query: number, position: number, distance: number) => void,
  ): void
  /**
   * The same for 32-byte values in halves from position `from` up to, not including, `to`; without `tails` by the first
   * half alone. Gives up and returns false before it would visit more than `pairsMost`.
   */
  scanHalves(
    values: { heads: number; tails?: number; from: number; to: number },
    search: { queries: Uint8Array; radius: number; pairsMost?: number },
    visit: (query: number, position: number, distance: number) => void,
  ): boolean
}

/** One page before the values: the word that says where to go on, 32 queries, hits. */
export const valuesAt = pageBytes
const nextAt = 8
const queriesAt = 64
export const queriesMax = 32
const hitsAt = 4096
const hitsMax = 4096

/** `width`: bytes of a value, 32 or 64. */
export function createScanner(width: 32 | 64): Scanner {
  const memory = createMemory(1)
  const kernel = instantiate(memory)
  let bytes = new Uint8Array(memory.buffer)
  const hits = new Uint32Array(memory.buffer, hitsAt, hitsMax * 3)
  const next = new Uint32Array(memory.buffer, nextAt, 1)
  return {
    bytes: () => bytes,
    makeRoom(needed) {
      const missing = Math.ceil((valuesAt + needed - bytes.length) / pageBytes)
      if (missing <= 0) return
      memory.grow(missing)
      bytes = new Uint8Array(memory.buffer)
    },
    scan({ at, count }, { queries, radius }, visit) {
      const perPass = width === 32 ? queriesMax : 1
      for (let from = 0; from < queries.length; from += perPass * width) {
        const some = queries.subarray(from, from + perPass * width)
        bytes.set(some, queriesAt)
        const first = from / width
        if (width === 32) scanMany(at, count, some.length / width, radius, first, visit)
        else scanOne(at, count, radius, first, visit)
      }
    },
    scanHalves({ heads, tails = 0, from, to }, { queries, radius, pairsMost = Infinity }, visit) {
      let left = pairsMost
      for (let query = 0; query < queries.length / 32; query++) {
        bytes.set(queries.subarray(query * 32, (query + 1) * 32), queriesAt)
        for (let at = from; at < to;) {
          const capacity = Math.min(hitsMax, left + 1)
          const found = kernel.scanHalves(heads, tails, at, to, queriesAt, radius, hitsAt, capacity)
          if (found > left) return false
          left -= found
          for (let i = 0; i < found * 2; i += 2) visit(query, hits[i]!, hits[i + 1]!)
          at = found === capacity ? hits[found * 2 - 2]! + 1 : to
        }
      }
      return true
    },
  }

  function scanMany(
    at: number,
    count: number,
    queries: number,
    radius: number,
    first: number,
    visit: (query: number, position: number, distance: number) => void,
  ): void {
    for (let from = 0; from < count; from = next[0]!) {
      const found = kernel.scanMany(
        at,
        from,
        count,
        queriesAt,
        queries,
        radius,
        hitsAt,
        hitsMax,
        nextAt,
      )
      for (let i = 0; i < found * 3; i += 3) visit(first + hits[i]!, hits[i + 1]!, hits[i + 2]!)
    }
  }

  function scanOne(
    at: number,
    count: number,
    radius: number,
    query: number,
    visit: (query: number, position: number, distance: number) => void,
  ): void {
    for (let from = 0; from < count;) {
      const found = kernel.scan(at, from, count, width, queriesAt, radius, hitsAt, hitsMax)
      for (let i = 0; i < found * 2; i += 2) visit(query, hits[i]!, hits[i + 1]!)
      from = found === hitsMax ? hits[found * 2 - 2]! + 1 : count
    }
  }
}
