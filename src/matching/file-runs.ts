// Sorting more digests than fit in memory: sorted runs in a file without a name, then all of them merged.
import { open, rm } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { signalBytes } from '../domain/signal-batch.ts'
import type { SignalBatch } from '../domain/signal-batch.ts'
import { rowsPerSlice } from './bank-index-sweep.ts'
import { storedRowWords } from './file-format.ts'
import type { WriteRequest } from './file-format.ts'
import { hashOf } from './digest-key.ts'
import type { HashKey } from './digest-key.ts'
import type { DigestType } from './digest-index.ts'
import { writeAll } from './file-store.ts'
import type { Source } from './file-merge.ts'

/** Sorted in one go, about 10 ms. */
const rowsPerRun = 32_768

export type Runs = AsyncDisposable & { rows: number; sources: Source[] }

/** Words of a stored row with its value before it. */
export function recordWords(type: DigestType): number {
  return signalBytes[type] / 4 + storedRowWords
}

/** Reads `rows` to their end. `path` is taken for a moment and has no name any more when this resolves. */
export async function sortIntoRuns(
  path: string,
  { type, hashKey }: { type: DigestType; hashKey: HashKey },
  { rows, keep, signal }: Pick<WriteRequest, 'rows' | 'keep' | 'signal'>,
): Promise<Runs> {
  const handle = await open(path, 'wx+', 0o600)
  await rm(path, { force: true })
  const run = createRun(type, hashKey)
  const runs: Runs = { rows: 0, sources: [], [Symbol.asyncDispose]: () => handle.close() }
  try {
    for await (const batch of rows) {
      for (let i = 0; i < batch.count; i++) {
        if (i % rowsPerSlice === 0) await nextTurn(undefined, { signal })
        if (!keep(batch.signalIds[i]!)) continue
        run.push(batch, i)
        if (run.count === rowsPerRun) await flush(run, handle, runs)
      }
    }
    await flush(run, handle, runs)
    return runs
  } catch (error) {
    await handle.close()
    throw error
  }
}

type Run = {
  count: number
  push(batch: SignalBatch, at: number): void
  /** The records in the order of their hashes; empties the run. */
  sorted(): Uint32Array
}

async function flush(run: Run, handle: FileHandle, runs: Runs): Promise<void> {
  const rows = run.count
  if (rows === 0) return
  const records = run.sorted()
  const at = runs.rows * (records.byteLength / rows)
  await writeAll(handle, new Uint8Array(records.buffer, 0, records.byteLength), at)
  runs.rows += rows
  runs.sources.push({ handle, at, rows })
}

function createRun(type: DigestType, hashKey: HashKey): Run {
  const width = signalBytes[type]
  const words = recordWords(type)
  const records = new Uint32Array(rowsPerRun * words)
  const bytes = new Uint8Array(records.buffer)
  const ordered = new Uint32Array(rowsPerRun * words)
  /** Hash and place in one number, so that sorting numbers sorts records. */
  const keys = new Float64Array(rowsPerRun)
  return {
    count: 0,
    push(batch, at) {
      const to = this.count * words
      for (let i = 0; i < width; i++) bytes[to * 4 + i] = batch.values[at * width + i]!
      const row = to + width / 4
      records[row] = batch.signalIds[at]!
      records[row + 1] = batch.contentIds[at]!
      records[row + 2] = batch.bankIds[at]!
      keys[this.count] = hashOf(records, to, width / 4, hashKey) * rowsPerRun + this.count
      this.count += 1
    },
    sorted() {
      keys.subarray(0, this.count).sort()
      for (let n = 0; n < this.count; n++) {
        const from = (keys[n]! % rowsPerRun) * words
        for (let i = 0; i < words; i++) ordered[n * words + i] = records[from + i]!
      }
      const sorted = ordered.subarray(0, this.count * words)
      this.count = 0
      return sorted
    },
  }
}
