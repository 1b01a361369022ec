// Exact Hamming search by a linear scan in memory, for signals of which there are few: clip, and what waits beside a file.
//
// Promises: an added row is found by the next search; removed rows are hidden at once, and their places are filled in
// slices when they are more than a tenth. A search costs about 0.5 ns a row and query (32 bytes). Lost in a crash.
import { setImmediate as nextTurn } from 'node:timers/promises'
import { signalBytes } from '../domain/signal-batch.ts'
import type { SignalBatch } from '../domain/signal-batch.ts'
import { createIdSet } from './bank-index-ids.ts'
import { copyRow, createBatch, createRows, growRows } from './bank-index-rows.ts'
import { pushRow, rowBytes, rowHit } from './bank-index-rows.ts'
import type { MemoryPart } from './bank-index-rows.ts'
import { createSweeper, isWorthSweeping, rowsPerSlice } from './bank-index-sweep.ts'
import type { RowHit } from './index-part.ts'
import { createScanner, valuesAt } from './scan-kernel.ts'
import type { Scanner } from './scan-kernel.ts'

const capacityMin = 1024

export function createScanIndex({ type }: { type: 'pdq' | 'clip' }): MemoryPart {
  const width = signalBytes[type]
  /** Made with the first row: a memory reserves gigabytes of addresses. */
  let scanner: Scanner | undefined
  const live = createIdSet()
  let rows = createRows(0)
  let capacity = 0
  let count = 0

  const makeRoom = (more: number) => {
    if (count + more <= capacity) return
    capacity = Math.max(capacityMin, count + more, capacity * 2)
    rows = growRows(rows, capacity)
    scanner ??= createScanner(width)
    scanner.makeRoom(capacity * width)
  }
  const append = (batch: SignalBatch, from: number) => {
    const to = Math.min(batch.count, from + rowsPerSlice)
    makeRoom(to - from)
    for (let at = from; at < to; at++) {
      if (!live.add(batch.signalIds[at]!)) continue
      const value = batch.values.subarray(at * width, (at + 1) * width)
      scanner!.bytes().set(value, valuesAt + count * width)
      copyRow(rows, count, batch, at)
      count += 1
    }
  }
  const sweeper = createSweeper(function* () {
    let steps = 0
    // From the end, so that the row that fills a hole is one that was looked at.
    for (let at = count - 1; at >= 0; at--) {
      if (at < count && !live.has(rows.signalIds[at]!)) {
        count -= 1
        const last = valuesAt + count * width
        scanner!.bytes().copyWithin(valuesAt + at * width, last, last + width)
        copyRow(rows, at, rows, count)
      }
      steps += 1
      if (steps % rowsPerSlice === 0) yield
    }
  })
  const empty = async () => {
    await sweeper.stop()
    live.clear()
    count = 0
  }

  return {
    async load(batches, expected = 0) {
      await empty()
      try {
        makeRoom(expected)
        for await (const batch of batches) {
          for (let from = 0; from < batch.count; from += rowsPerSlice) {
            append(batch, from)
            await nextTurn()
          }
        }
      } catch (error) {
        await empty()
        throw error
      }
    },
    add(batch) {
      for (let from = 0; from < batch.count; from += rowsPerSlice) append(batch, from)
    },
    remove(signalIds) {
      for (const id of signalIds) live.delete(id)
      if (isWorthSweeping({ rows: count, live: live.size })) sweeper.start()
    },
    search(queries, radius) {
      const hits: RowHit[] = []
      scanner?.scan({ at: valuesAt, count }, { queries, radius }, (query, at, distance) => {
        if (live.has(rows.signalIds[at]!)) hits.push(rowHit(rows, at, query, distance))
      })
      return hits
    },
    snapshot() {
      const batch = createBatch(type, live.size)
      if (scanner === undefined) return batch
      const values = scanner.bytes().subarray(valuesAt)
      for (let at = 0; at < count; at++)
        if (live.has(rows.signalIds[at]!)) pushRow(batch, values, rows, at)
      return batch
    },
    status: () => ({
      signals: live.size,
      bytes: count * (width + rowBytes) + live.bytes,
      pending: 0,
      ...sweeper.status(),
    }),
    [Symbol.asyncDispose]: empty,
  }
}
