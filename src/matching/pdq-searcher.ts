// Searches one base with one thread's scratch.
import { isLive, pendingFields, pendingRows, refresh } from './pdq-base.ts'
import type { PdqBase } from './pdq-base.ts'
import { bankOf, overflowOf } from './pdq-build.ts'
import type { RowHit } from './index-part.ts'
import {
  blockRows,
  blockTableAddress,
  hashBytes,
  header,
  moreRows,
  scratchBytes,
  scratchOf,
} from './layout.ts'

/** A scratch: the candidates of a search, the queries, where a scan goes on, what was found. */
const queriesOffset = 16_384
const nextOffset = 17_408
const foundOffset = 20_480
const queriesMax = 32
const slotsMax = Math.floor((scratchBytes - foundOffset) / 8)
const pairsMax = Math.floor((scratchBytes - foundOffset) / 12)

/** What 16 bands with one bit to spare each find for certain. */
export const indexedRadiusMax = 31

export type PdqSearcher = {
  /** `queries`: n x 32 bytes. Every live row within `radius` of a query, each pair once, in no order. */
  search(queries: Uint8Array, radius: number): RowHit[]
}

/** `thread`: whose scratch it works in. */
export function createSearcher(base: PdqBase, thread = 0): PdqSearcher {
  const { kernel } = base
  const scratch = scratchOf(thread)
  const queriesAt = scratch + queriesOffset
  const found = scratch + foundOffset

  const searchSlots = (query: number, radius: number, hits: RowHit[]) => {
    const at = queriesAt + query * hashBytes
    const count = kernel.search(at, radius, scratch, found, slotsMax)
    if (count < 0) return false
    for (let word = found / 4; word < found / 4 + count * 2; word += 2) {
      pushSlot(base, { query, slot: base.words[word]!, distance: base.words[word + 1]! }, hits)
    }
    return true
  }

  /** Compares `queries` from number `first` on with values side by side. */
  const scan = (
    values: number,
    count: number,
    { first, queries, radius }: { first: number; queries: number; radius: number },
    visit: (query: number, position: number, distance: number) => void,
  ) => {
    const from = queriesAt + first * hashBytes
    const next = scratch + nextOffset
    for (let position = 0; position < count; position = base.words[next / 4]!) {
      const pairs = kernel.scanMany(
        values,
        position,
        count,
        from,
        queries,
        radius,
        found,
        pairsMax,
        next,
      )
      for (let word = found / 4; word < found / 4 + pairs * 3; word += 3) {
        visit(first + base.words[word]!, base.words[word + 1]!, base.words[word + 2]!)
      }
    }
  }

  const scanSlots = (first: number, queries: number, radius: number, hits: RowHit[]) =>
    scan(
      base.words[header.hashes]!,
      base.words[header.slots]!,
      { first, queries, radius },
      (query, slot, distance) => pushSlot(base, { query, slot, distance }, hits),
    )

  const scanPending = (queries: number, radius: number, hits: RowHit[]) => {
    const pending = pendingRows(base)
    for (let first = 0; first < pending; first += blockRows) {
      const block = base.words[blockTableAddress / 4 + first / blockRows]!
      const count = Math.min(blockRows, pending - first)
      scan(block, count, { first: 0, queries, radius }, (query, row, distance) =>
        pushPending(base, { query, row: first + row, distance }, hits),
      )
    }
  }

  const searchTogether = (values: Uint8Array, radius: number, hits: RowHit[]) => {
    const queries = values.length / hashBytes
    base.bytes.set(values, queriesAt)
    kernel.permute(queriesAt, queries)
    if (radius > indexedRadiusMax) {
      scanSlots(0, queries, radius, hits)
    } else {
      for (let query = 0; query < queries; query++) {
        if (!searchSlots(query, radius, hits)) scanSlots(query, 1, radius, hits)
      }
    }
    scanPending(queries, radius, hits)
  }

  return {
    search(queries, radius) {
      const hits: RowHit[] = []
      const step = queriesMax * hashBytes
      for (let from = 0; from < queries.length; from += step) {
        const before = hits.length
        searchTogether(queries.subarray(from, from + step), radius, hits)
        if (from > 0) for (const hit of hits.slice(before)) hit.query += from / hashBytes
      }
      return hits
    },
  }
}

function pushSlot(
  base: PdqBase,
  { query, slot, distance }: { query: number; slot: number; distance: number },
  hits: RowHit[],
): void {
  const { words } = base
  const signalId = words[words[header.signals]! / 4 + slot]!
  const contentId = words[words[header.contents]! / 4 + slot]!
  const bank = words[words[header.banks]! / 4 + slot]!
  if (isLive(base, signalId)) {
    hits.push({ query, distance, signalId, contentId, bankId: bankOf(bank) })
  }
  if ((bank & moreRows) === 0) return
  const { from, to } = overflowOf(base, slot)
  for (let word = from; word < to; word += 4) {
    const signalId = words[word + 1]!
    if (!isLive(base, signalId)) continue
    hits.push({
      query,
      distance,
      signalId,
      contentId: words[word + 2]!,
      bankId: words[word + 3]!,
    })
  }
}

function pushPending(
  base: PdqBase,
  { query, row, distance }: { query: number; row: number; distance: number },
  hits: RowHit[],
): void {
  // A thread that attached may not have seen yet that the memory grew.
  if (pendingFields(base, row) + 2 * blockRows >= base.words.length) refresh(base)
  const at = pendingFields(base, row)
  const signalId = base.words[at]!
  if (signalId === 0) return
  const contentId = base.words[at + blockRows]!
  const bankId = base.words[at + 2 * blockRows]!
  hits.push({ query, distance, signalId, contentId, bankId })
}
