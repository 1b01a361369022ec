// One memory of a PDQ index: sorted rows with their tables, which never change, and behind them rows in blocks.
//
// Every thread that has the memory reads it in place. One thread writes, and only what readers can bear: it appends to the
// blocks (the count goes up last), clears live bits, and takes the signal id from a row in a block.
import type { SignalBatch } from '../domain/signal-batch.ts'
import { createMemory, instantiate, loadKernel, pageBytes } from './kernel.ts'
import type { Kernel } from './kernel.ts'
import type { KernelModule, SharedMemory } from './kernel-webassembly.ts'
import {
  blockBytes,
  blockRows,
  blockSignalsOffset,
  blockTableAddress,
  blocksMax,
  hashBytes,
  hashesAddress,
  header,
  pagesFor,
  permutationAddress,
} from './layout.ts'
import { permutationTable } from './pdq-permutation.ts'

export type PdqBase = {
  memory: SharedMemory
  kernel: Kernel
  /** The whole memory; made anew by `refresh` when it has grown. */
  words: Uint32Array<SharedArrayBuffer>
  bytes: Uint8Array<SharedArrayBuffer>
  /** From here to the end nothing lies: room for blocks in a memory that is used again. */
  freeFrom: number
}

/** Rows as they lie in a block: hashes permuted, ids beside them. */
export type Rows = Pick<SignalBatch, 'count' | 'values' | 'signalIds' | 'contentIds' | 'bankIds'>

/** An empty base. `memory`: one that nobody reads any more, to be used again. */
export function createBase(memory = createMemory(pagesFor(hashesAddress))): PdqBase {
  const base = openBase(memory)
  base.freeFrom = pagesFor(hashesAddress) * pageBytes
  base.bytes.fill(0, 0, permutationAddress)
  base.bytes.set(permutationTable(), permutationAddress)
  base.words[header.hashes] = hashesAddress
  return base
}

export function openBase(memory: SharedMemory, module: KernelModule = loadKernel()): PdqBase {
  return {
    memory,
    kernel: instantiate(memory, module),
    words: new Uint32Array(memory.buffer),
    bytes: new Uint8Array(memory.buffer),
    freeFrom: memory.buffer.byteLength,
  }
}

export function refresh(base: PdqBase): void {
  base.words = new Uint32Array(base.memory.buffer)
  base.bytes = new Uint8Array(base.memory.buffer)
}

/** Throws RangeError when 32 bits do not reach that far. */
export function growTo(base: PdqBase, end: number): void {
  const missing = pagesFor(end) - base.memory.buffer.byteLength / pageBytes
  if (missing > 0) base.memory.grow(missing)
  refresh(base)
}

export function pendingRows(base: PdqBase): number {
  return Atomics.load(base.words, header.pending)
}

/** Puts rows behind those in blocks. `isPermuted`: they come from another base. */
export function appendRows(base: PdqBase, rows: Rows, isPermuted: boolean): void {
  let greatest = base.words[header.greatestId]!
  for (let from = 0; from < rows.count;) {
    const pending = pendingRows(base)
    const block = blockAddress(base, Math.floor(pending / blockRows))
    const at = pending % blockRows
    const to = Math.min(rows.count, from + blockRows - at)
    const hashes = block + at * hashBytes
    base.bytes.set(rows.values.subarray(from * hashBytes, to * hashBytes), hashes)
    if (!isPermuted) base.kernel.permute(hashes, to - from)
    const fields = (block + blockSignalsOffset) / 4 + at
    base.words.set(rows.signalIds.subarray(from, to), fields)
    base.words.set(rows.contentIds.subarray(from, to), fields + blockRows)
    base.words.set(rows.bankIds.subarray(from, to), fields + 2 * blockRows)
    for (let row = from; row < to; row++) greatest = Math.max(greatest, rows.signalIds[row]!)
    base.words[header.greatestId] = greatest
    Atomics.store(base.words, header.pending, pending + to - from)
    from = to
  }
}

/** The address of a block, which is made when it is not there yet. */
function blockAddress(base: PdqBase, block: number): number {
  if (block >= blocksMax) throw new RangeError('a PDQ index has no room for more rows')
  const known = base.words[blockTableAddress / 4 + block]!
  if (known !== 0) return known
  let address = base.freeFrom
  if (address + blockBytes <= base.bytes.length) base.freeFrom += blockBytes
  else address = growBy(base, blockBytes)
  base.words[blockTableAddress / 4 + block] = address
  return address
}

/** The address of so many bytes that nobody else has. Throws RangeError when 32 bits do not reach that far. */
function growBy(base: PdqBase, bytes: number): number {
  pagesFor(base.memory.buffer.byteLength + bytes)
  const address = base.memory.grow(Math.ceil(bytes / pageBytes)) * pageBytes
  refresh(base)
  base.freeFrom = base.bytes.length
  return address
}

/** The place, in words, of a pending row's signal id; its content and bank lie `blockRows` and twice that further on. */
export function pendingFields(base: PdqBase, row: number): number {
  const block = base.words[blockTableAddress / 4 + Math.floor(row / blockRows)]!
  return (block + blockSignalsOffset) / 4 + (row % blockRows)
}

/** Some of the rows in one block, as they lie there. */
export function pendingSegment(base: PdqBase, from: number, to: number): Rows {
  const end = Math.min(to, (Math.floor(from / blockRows) + 1) * blockRows)
  const block = base.words[blockTableAddress / 4 + Math.floor(from / blockRows)]!
  const hashes = block + (from % blockRows) * hashBytes
  const fields = pendingFields(base, from)
  const count = end - from
  return {
    count,
    values: base.bytes.subarray(hashes, hashes + count * hashBytes),
    signalIds: base.words.subarray(fields, fields + count),
    contentIds: base.words.subarray(fields + blockRows, fields + blockRows + count),
    bankIds: base.words.subarray(fields + 2 * blockRows, fields + 2 * blockRows + count),
  }
}

/** Whether a sorted row is live. Rows in blocks have no bit: theirs is the signal id itself. */
export function isLive(base: PdqBase, signalId: number): boolean {
  if (signalId >= base.words[header.liveIds]!) return false
  return (base.bytes[base.words[header.live]! + (signalId >>> 3)]! & (1 << (signalId & 7))) !== 0
}

/** Returns false when there is no such live row among the sorted ones. */
export function clearLive(base: PdqBase, signalId: number): boolean {
  if (!isLive(base, signalId)) return false
  base.bytes[base.words[header.live]! + (signalId >>> 3)]! &= ~(1 << (signalId & 7))
  return true
}
