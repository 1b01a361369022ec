// Copies what is live in a base into the blocks of a new one, while the thread that owns the base goes on changing it.
//
// What is removed meanwhile may or may not be in the copy: the owner keeps a list and clears it in the new base again.
import { appendRows, createBase, isLive, pendingFields, pendingSegment } from './pdq-base.ts'
import type { PdqBase, Rows } from './pdq-base.ts'
import type { SharedMemory } from './kernel-webassembly.ts'
import { blockRows, hashBytes, header, moreRows } from './layout.ts'

/** `pending`: how many of the base's rows in blocks to take. `spare`: a memory to copy to. */
export function copyLiveRows(base: PdqBase, pending: number, spare?: SharedMemory): PdqBase {
  const copy = createBase(spare)
  const slots = base.words[header.slots]!
  for (let from = 0; from < slots; from += blockRows) {
    const rows = slotRows(base, from, Math.min(from + blockRows, slots))
    appendRows(copy, rows, true)
    settleRows(base, copy, from, rows.count)
  }
  const overflow = base.words[header.overflowCount]!
  for (let from = 0; from < overflow; from += blockRows) {
    appendRows(copy, overflowRows(base, from, Math.min(from + blockRows, overflow)), true)
  }
  for (let from = 0; from < pending;) {
    const segment = pendingSegment(base, from, pending)
    appendRows(copy, segment, true)
    from += segment.count
  }
  return copy
}

/** As they lie in the base, without copying: what is dead and what is marked is put right where they come to lie. */
function slotRows(base: PdqBase, from: number, to: number): Rows {
  const { words, bytes } = base
  const column = (word: number) => words.subarray(words[word]! / 4 + from, words[word]! / 4 + to)
  const hashes = words[header.hashes]!
  return {
    count: to - from,
    values: bytes.subarray(hashes + from * hashBytes, hashes + to * hashBytes),
    signalIds: column(header.signals),
    contentIds: column(header.contents),
    bankIds: column(header.banks),
  }
}

/** `from` is the first row of a block. */
function settleRows(base: PdqBase, copy: PdqBase, from: number, count: number): void {
  const first = pendingFields(copy, from)
  for (let at = first; at < first + count; at++) {
    if (!isLive(base, copy.words[at]!)) copy.words[at] = 0
    copy.words[at + 2 * blockRows]! &= ~moreRows
  }
}

function overflowRows(base: PdqBase, from: number, to: number): Rows {
  const { words, bytes } = base
  const count = to - from
  const rows = {
    count,
    values: new Uint8Array(count * hashBytes),
    signalIds: new Uint32Array(count),
    contentIds: new Uint32Array(count),
    bankIds: new Uint32Array(count),
  }
  for (let row = 0; row < count; row++) {
    const at = words[header.overflow]! / 4 + (from + row) * 4
    const hash = words[header.hashes]! + words[at]! * hashBytes
    rows.values.set(bytes.subarray(hash, hash + hashBytes), row * hashBytes)
    rows.signalIds[row] = isLive(base, words[at + 1]!) ? words[at + 1]! : 0
    rows.contentIds[row] = words[at + 2]!
    rows.bankIds[row] = words[at + 3]!
  }
  return rows
}
