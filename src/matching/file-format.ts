// The two shapes of index files, one that is scanned and one with buckets, as the part that owns them sees them.
import type { SignalBatch } from '../domain/signal-batch.ts'
import type { RowHit } from './index-part.ts'

/** One written file, which never changes. Rows removed since are still in it. */
export type SignalFile = {
  rows: number
  /** Of this process's memory. */
  bytes: number
  generation: number
  search(queries: Uint8Array, radius: number): Promise<RowHit[]>
  eachId(visit: (signalId: number) => void): Promise<void>
  /** Waits for the searches that are under way; none may be begun after it. */
  close(): Promise<void>
}

export type WriteRequest = {
  generation: number
  /** The file whose rows come first. */
  base?: SignalFile
  rows: AsyncIterable<SignalBatch>
  /** Asked once for every row; those that it denies are left out. */
  keep: (signalId: number) => boolean
  /** Gives up soon and throws. */
  signal: AbortSignal
}

/** Disposed of after its files were closed. */
export type FileFormat = AsyncDisposable & {
  /** Becomes the type's file when it is whole and durable; throws and leaves the file there was otherwise. */
  write(request: WriteRequest): Promise<SignalFile>
  open(): Promise<SignalFile | undefined>
}

/** A row beside a value: signal, content and bank id, 32 bits each. */
export const storedRowWords = 3
export const storedRowBytes = 12
