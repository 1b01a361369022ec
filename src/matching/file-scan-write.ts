// Writes an index file that is scanned: block by block, in the order in which rows come.
import { setImmediate as nextTurn } from 'node:timers/promises'
import { signalBytes } from '../domain/signal-batch.ts'
import { asWords } from './bank-index-rows.ts'
import { rowsPerSlice } from './bank-index-sweep.ts'
import { storedRowBytes, storedRowWords } from './file-format.ts'
import type { WriteRequest } from './file-format.ts'
import { blockAt, headBytes, rowsPerBlock, tailBytes } from './file-scan-block.ts'
import type { ScanFile, ScanType } from './file-scan-block.ts'
import { createDraft, readFully } from './file-store.ts'
import type { Draft, StoredFile } from './file-store.ts'

export async function writeScanFile(
  folder: string,
  type: ScanType,
  { base, rows, keep, signal, generation }: WriteRequest,
): Promise<StoredFile> {
  const draft = await createDraft(folder, type)
  try {
    const writer = createBlockWriter(draft, type)
    if (base !== undefined) await copyBase(base as ScanFile, writer, keep, signal)
    for await (const batch of rows) {
      const values = asWords(batch.values)
      for (let i = 0; i < batch.count; i++) {
        if (i % rowsPerSlice === 0) await nextTurn(undefined, { signal })
        const signalId = batch.signalIds[i]!
        if (!keep(signalId)) continue
        writer.push(values, i, signalId, batch.contentIds[i]!, batch.bankIds[i]!)
        if (writer.isFull()) await writer.flush()
      }
    }
    await writer.flush()
    const written = { type, generation, rows: writer.rows() }
    return await draft.finish({ ...written, bucketBits: 0, hashKey: [0, 0] })
  } finally {
    await draft.discard()
  }
}

async function copyBase(
  base: ScanFile,
  writer: BlockWriter,
  keep: (signalId: number) => boolean,
  signal: AbortSignal,
): Promise<void> {
  const width = signalBytes[base.type]
  for (let block = 0; block * rowsPerBlock(base.type) < base.rows; block++) {
    const { at, count } = blockAt(base.type, base.rows, block)
    const bytes = new Uint8Array(count * (width + storedRowBytes))
    await readFully(base.handle, bytes, at)
    const values = joinHalves(new Uint32Array(bytes.buffer, 0, (count * width) / 4), base.type)
    const rows = new Uint32Array(bytes.buffer, count * width, count * storedRowWords)
    for (let i = 0; i < count; i++) {
      if (i % rowsPerSlice === 0) await nextTurn(undefined, { signal })
      const row = i * storedRowWords
      if (!keep(rows[row]!)) continue
      writer.push(values, i, rows[row]!, rows[row + 1]!, rows[row + 2]!)
      if (writer.isFull()) await writer.flush()
    }
  }
}

/** Whole values, from a block's heads and tails. */
function joinHalves(block: Uint32Array, type: ScanType): Uint32Array {
  const [head, tail] = [headBytes[type] / 4, tailBytes(type) / 4]
  if (tail === 0) return block
  const values = new Uint32Array(block.length)
  const count = block.length / (head + tail)
  for (let n = 0; n < count; n++) {
    const to = n * (head + tail)
    for (let i = 0; i < head; i++) values[to + i] = block[n * head + i]!
    for (let i = 0; i < tail; i++) values[to + head + i] = block[count * head + n * tail + i]!
  }
  return values
}

type BlockWriter = {
  /** Value `n` of those in `values`. There must be room. */
  push(values: Uint32Array, n: number, signalId: number, contentId: number, bankId: number): void
  isFull(): boolean
  flush(): Promise<void>
  /** Flushed so far. */
  rows(): number
}

function createBlockWriter(draft: Draft, type: ScanType): BlockWriter {
  const [head, tail] = [headBytes[type] / 4, tailBytes(type) / 4]
  const capacity = rowsPerBlock(type)
  const heads = new Uint32Array(capacity * head)
  const tails = new Uint32Array(capacity * tail)
  const blockRows = new Uint32Array(capacity * storedRowWords)
  let count = 0
  let written = 0
  return {
    push(values, n, signalId, contentId, bankId) {
      const from = n * (head + tail)
      for (let i = 0; i < head; i++) heads[count * head + i] = values[from + i]!
      for (let i = 0; i < tail; i++) tails[count * tail + i] = values[from + head + i]!
      const row = count * storedRowWords
      blockRows[row] = signalId
      blockRows[row + 1] = contentId
      blockRows[row + 2] = bankId
      count += 1
    },
    isFull: () => count === capacity,
    async flush() {
      if (count === 0) return
      await draft.write(new Uint8Array(heads.buffer, 0, count * headBytes[type]))
      await draft.write(new Uint8Array(tails.buffer, 0, count * tailBytes(type)))
      await draft.write(new Uint8Array(blockRows.buffer, 0, count * storedRowBytes))
      written += count
      count = 0
    },
    rows: () => written,
  }
}
