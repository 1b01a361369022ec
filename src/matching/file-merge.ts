// Merges sorted sources of records into one stream in the order of their hashes.
import type { FileHandle } from 'node:fs/promises'
import { hashOf } from './digest-key.ts'
import type { HashKey } from './digest-key.ts'
import { readFully } from './file-store.ts'

/** Records in the order of their hashes from byte `at`. `keep`: those that it denies by their signal id are left out. */
export type Source = {
  handle: FileHandle
  at: number
  rows: number
  keep?: (signalId: number) => boolean
}

/** `valueWords` of `words` are the value; the signal id follows it. */
export type RecordShape = { words: number; valueWords: number; hashKey: HashKey }

export type MergedBlock = { records: Uint32Array; hashes: Uint32Array; count: number }

type Cursor = {
  source: Source
  buffer: Uint32Array
  /** Records in the buffer, the one it is at, and its hash. */
  count: number
  at: number
  hash: number
  read: number
}

const rowsPerRead = 1024
const rowsPerBlock = 8192

/** Yields up to 8192 records at a time, in arrays that the next step writes over. */
export async function* merge(
  sources: readonly Source[],
  shape: RecordShape,
): AsyncGenerator<MergedBlock> {
  const { words } = shape
  const heap: Cursor[] = []
  for (const source of sources) {
    const buffer = new Uint32Array(rowsPerRead * words)
    const cursor = { source, buffer, count: 0, at: -1, hash: 0, read: 0 }
    if (advance(cursor, shape) || (await refill(cursor, shape))) heap.push(cursor)
  }
  heap.sort((a, b) => a.hash - b.hash)
  const block: MergedBlock = {
    records: new Uint32Array(rowsPerBlock * words),
    hashes: new Uint32Array(rowsPerBlock),
    count: 0,
  }
  for (let top = heap[0]; top !== undefined; top = heap[0]) {
    const from = top.at * words
    for (let i = 0; i < words; i++) block.records[block.count * words + i] = top.buffer[from + i]!
    block.hashes[block.count] = top.hash
    block.count += 1
    if (block.count === rowsPerBlock) {
      yield block
      block.count = 0
    }
    if (!advance(top, shape) && !(await refill(top, shape))) {
      const last = heap.pop()!
      if (last === top) continue
      heap[0] = last
    }
    sink(heap)
  }
  if (block.count > 0) yield block
}

/** To the next record that is kept; false at the end of the buffer. */
function advance(cursor: Cursor, { words, valueWords, hashKey }: RecordShape): boolean {
  const { source, buffer } = cursor
  for (cursor.at += 1; cursor.at < cursor.count; cursor.at += 1) {
    const from = cursor.at * words
    if (source.keep !== undefined && !source.keep(buffer[from + valueWords]!)) continue
    cursor.hash = hashOf(buffer, from, valueWords, hashKey)
    return true
  }
  return false
}

/** False when the source has no further record that is kept. */
async function refill(cursor: Cursor, shape: RecordShape): Promise<boolean> {
  const { source, buffer } = cursor
  const recordBytes = shape.words * 4
  while (cursor.read < source.rows) {
    cursor.count = Math.min(rowsPerRead, source.rows - cursor.read)
    const bytes = new Uint8Array(buffer.buffer, 0, cursor.count * recordBytes)
    await readFully(source.handle, bytes, source.at + cursor.read * recordBytes)
    cursor.read += cursor.count
    cursor.at = -1
    if (advance(cursor, shape)) return true
  }
  return false
}

/** The first cursor goes down to where it belongs. */
function sink(heap: Cursor[]): void {
  const cursor = heap[0]!
  let at = 0
  for (let child = 1; child < heap.length; child = 2 * at + 1) {
    if (child + 1 < heap.length && heap[child + 1]!.hash < heap[child]!.hash) child += 1
    if (heap[child]!.hash >= cursor.hash) break
    heap[at] = heap[child]!
    at = child
  }
  heap[at] = cursor
}
