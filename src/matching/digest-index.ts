// Exact lookups of digests (16, 20 or 32 bytes) in memory.
//
// Promises: an added row is found by the next search and nothing has to be sorted or rebuilt for it; 31 bytes a row for
// md5, 35 for sha1, 47 for sha256, and 1/8 byte for the id. Removed rows are hidden at once; when they are more than a
// tenth, their places are filled in slices of a millisecond. Assumes that a value listed a million times is rare: taking
// one of those out walks the chain of all of them.
import { setImmediate as nextTurn } from 'node:timers/promises'
import { signalBytes } from '../domain/signal-batch.ts'
import type { SignalBatch } from '../domain/signal-batch.ts'
import { createIdSet } from './bank-index-ids.ts'
import { asWords, createBatch, pushRow, rowHit } from './bank-index-rows.ts'
import type { MemoryPart } from './bank-index-rows.ts'
import { createSweeper, isWorthSweeping, rowsPerSlice } from './bank-index-sweep.ts'
import { randomHashKey, hashOf } from './digest-key.ts'
import type { HashKey } from './digest-key.ts'
import {
  appendDigest,
  createDigestSegment,
  findDigest,
  removeDigest,
  usedBytes,
} from './digest-segment.ts'
import type { DigestSegment } from './digest-segment.ts'
import type { RowHit } from './index-part.ts'

export type DigestType = 'sha256' | 'md5' | 'sha1'

/** Rows of a segment: as many as are expected; if nothing is, each further one doubles what there is. */
const capacityMin = 1024
const capacityMax = 4_194_304

export function createDigestIndex(options: { type: DigestType; key?: HashKey }): MemoryPart {
  const { type, key = randomHashKey() } = options
  const words = signalBytes[type] / 4
  const live = createIdSet()
  let segments: DigestSegment[] = []

  const rowCount = () => segments.reduce((sum, segment) => sum + segment.count, 0)
  const roomFor = (expected: number): DigestSegment => {
    const open = segments.find((segment) => segment.count < segment.capacity)
    if (open !== undefined) return open
    const capacity = Math.min(capacityMax, Math.max(capacityMin, expected || rowCount()))
    const segment = createDigestSegment(words, capacity)
    segments.push(segment)
    return segment
  }
  const append = (batch: SignalBatch, values: Uint32Array, from: number, expected: number) => {
    for (let at = from; at < Math.min(batch.count, from + rowsPerSlice); at++) {
      if (!live.add(batch.signalIds[at]!)) continue
      appendDigest(roomFor(expected), { words, key }, { batch, values, at })
    }
  }
  const sweeper = createSweeper(function* () {
    let steps = 0
    for (const segment of segments) {
      // From the end, so that a row that moves is one that was looked at.
      for (let position = segment.count - 1; position >= 0; position--) {
        if (position < segment.count && !live.has(segment.rows.signalIds[position]!))
          removeDigest(segment, position, { words, key })
        steps += 1
        if (steps % rowsPerSlice === 0) yield
      }
    }
  })
  const empty = async () => {
    await sweeper.stop()
    segments = []
    live.clear()
  }

  return {
    async load(batches, expected = 0) {
      await empty()
      try {
        let left = expected
        for await (const batch of batches) {
          const values = asWords(batch.values)
          for (let from = 0; from < batch.count; from += rowsPerSlice) {
            append(batch, values, from, left)
            await nextTurn()
          }
          left = Math.max(0, expected - live.size)
        }
      } catch (error) {
        await empty()
        throw error
      }
    },
    add(batch) {
      const values = asWords(batch.values)
      for (let from = 0; from < batch.count; from += rowsPerSlice) append(batch, values, from, 0)
    },
    remove(signalIds) {
      for (const id of signalIds) live.delete(id)
      if (isWorthSweeping({ rows: rowCount(), live: live.size })) sweeper.start()
    },
    search(queries, radius) {
      if (radius !== 0) throw new RangeError(`digests are equal or not: radius ${radius}`)
      const values = asWords(queries)
      const hits: RowHit[] = []
      for (let query = 0; query < values.length / words; query++) {
        const from = query * words
        const hash = hashOf(values, from, words, key)
        for (const segment of segments) {
          findDigest(segment, { values, from, words, hash }, (position) => {
            if (live.has(segment.rows.signalIds[position]!))
              hits.push(rowHit(segment.rows, position, query, 0))
          })
        }
      }
      return hits
    },
    snapshot() {
      const batch = createBatch(type, live.size)
      for (const { values, rows, count } of segments) {
        const bytes = new Uint8Array(values.buffer)
        for (let at = 0; at < count; at++)
          if (live.has(rows.signalIds[at]!)) pushRow(batch, bytes, rows, at)
      }
      return batch
    },
    status: () => ({
      signals: live.size,
      bytes: segments.reduce((sum, segment) => sum + usedBytes(segment), live.bytes),
      pending: 0,
      ...sweeper.status(),
    }),
    [Symbol.asyncDispose]: empty,
  }
}
