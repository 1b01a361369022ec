// Turns the rows in a base's blocks into its sorted part, in place: 10 million take about two seconds of one thread.
import { growTo, pendingRows } from './pdq-base.ts'
import type { PdqBase } from './pdq-base.ts'
import {
  bands,
  blockBytes,
  blockRows,
  blockTableAddress,
  blocksMax,
  hashBytes,
  hashesAddress,
  header,
  layOut,
  moreRows,
  partsBytes,
  recordBytes,
  roundUp,
  scratchOf,
} from './layout.ts'

/** Where the bands from this one on have their ids is the room for sorting the bands before. */
const lastBands = 13
const entryBytes = 8
const overflowBytes = 16

/**
 * For a base that has rows in blocks only, each block above the one before. Rows with signal id 0 are left out.
 * Throws RangeError when 32 bits do not reach; the base is good for nothing then.
 */
export function buildBase(base: PdqBase): void {
  const { slots, total, fields, stride } = sortRows(base)
  const overflow = readOverflow(base, fields, total - slots)
  const { words, end } = layOut({
    slots,
    overflow: total - slots,
    liveIds: base.words[header.greatestId]! + 1,
  })
  growTo(base, end + blockBytes)
  for (const [index, word] of [header.signals, header.contents, header.banks].entries()) {
    const from = fields + index * stride
    base.bytes.copyWithin(words[word]!, from, from + slots * 4)
  }
  base.words.set(overflow, words[header.overflow]! / 4)
  base.words.set(words)
  buildTables(base, end)
  base.bytes.fill(0, words[header.live], end)
  base.kernel.enliven(words[header.signals]!, slots, 4)
  base.kernel.enliven(words[header.overflow]! + 4, total - slots, overflowBytes)
  base.words.fill(0, blockTableAddress / 4, blockTableAddress / 4 + blocksMax)
  base.words[blockTableAddress / 4] = end
  base.freeFrom = base.bytes.length
  base.words[header.pending] = 0
}

type Sorted = {
  slots: number
  /** Rows, further ones of a hash among them. */
  total: number
  /** Where the slots' signal ids lie; contents and banks `stride` and twice that further on. */
  fields: number
  stride: number
}

function sortRows(base: PdqBase): Sorted {
  const rows = pendingRows(base)
  const blocks = Math.ceil(rows / blockRows)
  const lastBlock = base.words[blockTableAddress / 4 + Math.max(blocks - 1, 0)]!
  const records = blocks === 0 ? hashesAddress : lastBlock + blockBytes
  const ends = roundUp(records + rows * recordBytes, 64)
  const cursors = ends + partsBytes
  const order = cursors + partsBytes
  growTo(base, order)
  const total = base.kernel.partitionRows(rows, records, ends)
  growTo(base, order + largestPart(base, ends) * entryBytes)
  const fields = roundUp(hashesAddress + total * hashBytes, 64)
  const stride = roundUp(total * 4, 64)
  base.words[header.hashes] = hashesAddress
  const slots = base.kernel.gatherSlots(records, ends, fields, stride, order, cursors)
  return { slots, total, fields, stride }
}

function largestPart(base: PdqBase, ends: number): number {
  let largest = 0
  let before = 0
  for (const end of base.words.subarray(ends / 4, (ends + partsBytes) / 4)) {
    largest = Math.max(largest, end - before)
    before = end
  }
  return largest
}

/** Copied, because it lies where the slots' rows go; turned round, because it was written downwards. */
function readOverflow(base: PdqBase, fields: number, count: number): Uint32Array {
  const overflow = new Uint32Array(count * 4)
  for (let row = 0; row < count; row++) {
    const from = fields / 4 - (row + 1) * 4
    overflow.set(base.words.subarray(from, from + 4), row * 4)
  }
  return overflow
}

function buildTables(base: PdqBase, end: number): void {
  const { kernel, words } = base
  const room = words[header.ids]! + (lastBands - 1) * words[header.idsStride]!
  if (room + words[header.slots]! * entryBytes > end) throw new Error('the room of a band is short')
  kernel.buildFirstBand()
  for (let band = 1; band < lastBands; band++) kernel.buildBand(band, room, scratchOf(0))
  for (let band = lastBands; band < bands; band++) kernel.buildBandInPlace(band)
}

/** The place of a hash's further rows in the overflow, from `from` up to `to`: (slot, signal, content, bank) each. */
export function overflowOf(base: PdqBase, slot: number): { from: number; to: number } {
  const { words } = base
  const first = words[header.overflow]! / 4
  const count = words[header.overflowCount]!
  const firstNotBelow = (wanted: number) => {
    let low = 0
    let high = count
    while (low < high) {
      const middle = (low + high) >>> 1
      if (words[first + middle * 4]! < wanted) low = middle + 1
      else high = middle
    }
    return first + low * 4
  }
  return { from: firstNotBelow(slot), to: firstNotBelow(slot + 1) }
}

/** The bank without the mark. */
export function bankOf(word: number): number {
  return (word & ~moreRows) >>> 0
}
