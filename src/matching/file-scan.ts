// An index file that is scanned from one end to the other: blocks of values, each followed by its rows. A search reads the
// values' heads only, through the page cache; tails are read where a head is near, and a block's rows where something is.
import type { Worker } from 'node:worker_threads'
import { signalBytes } from '../domain/signal-batch.ts'
import { storedRowWords } from './file-format.ts'
import type { FileFormat } from './file-format.ts'
import { blockAt, rowsPerBlock } from './file-scan-block.ts'
import type { ScanFile, ScanType } from './file-scan-block.ts'
import { createScanPass, passBytes, readRows } from './file-scan-pass.ts'
import type { ReadAt, ScanRange } from './file-scan-pass.ts'
import { writeScanFile } from './file-scan-write.ts'
import { openStored, readFully } from './file-store.ts'
import type { StoredFile } from './file-store.ts'
import type { RowHit } from './index-part.ts'
import { createSearchThreads } from './search-threads.ts'
import type { SearchThreads } from './search-threads.ts'

/** Smaller files are searched sooner than a thread has heard of it: half a millisecond a million values and query. */
const threadsFromBytes = 16_000_000

let files = 0

/** `file` names the open file among those of this process. */
export type FileSearch = {
  file: number
  fd: number
  range: ScanRange
  queries: Uint8Array
  radius: number
}
/** After the last search in it. */
export type FileClosed = { file: number }

type ScanThreads = SearchThreads<FileSearch, FileClosed>

/** `folder` is made when something is written. The last two are for tests. */
export function createScanFormat(options: {
  folder: string
  type: ScanType
  threadsFrom?: number
  onWorker?: (worker: Worker) => void
}): FileFormat {
  const { folder, type, threadsFrom = threadsFromBytes } = options
  const threads: ScanThreads = createSearchThreads({
    file: 'file-scan-thread',
    onWorker: options.onWorker,
  })
  const toSignalFile = (stored: StoredFile) => {
    const isLarge = stored.header.rows * signalBytes[type] >= threadsFrom
    return createScanFile(stored, type, isLarge ? threads : undefined)
  }
  return {
    write: async (request) => toSignalFile(await writeScanFile(folder, type, request)),
    async open() {
      const stored = await openStored(folder, type)
      return stored === undefined ? undefined : toSignalFile(stored)
    },
    [Symbol.asyncDispose]: () => threads[Symbol.asyncDispose](),
  }
}

type Searcher = {
  bytes(): number
  search(queries: Uint8Array, radius: number): Promise<RowHit[]>
  /** After the searches under way. */
  close(): Promise<void>
}

function createScanFile(
  stored: StoredFile,
  type: ScanType,
  threads: ScanThreads | undefined,
): ScanFile {
  const { handle, header } = stored
  const { rows, generation } = header
  const readAt: ReadAt = (bytes, position) => readFully(handle, bytes, position)
  const searcher =
    threads === undefined ? searchHere(stored, type, readAt) : searchIn(threads, stored, type)
  return {
    type,
    handle,
    rows,
    generation,
    get bytes() {
      return searcher.bytes()
    },
    search: (queries, radius) => searcher.search(queries, radius),
    async eachId(visit) {
      for (let block = 0; block < blocksOf(stored, type); block++) {
        const { rowsAt, count } = blockAt(type, rows, block)
        const words = await readRows(readAt, rowsAt, count)
        for (let i = 0; i < count; i++) visit(words[i * storedRowWords]!)
      }
    },
    async close() {
      await searcher.close()
      await handle.close()
    },
  }
}

function searchHere(stored: StoredFile, type: ScanType, readAt: ReadAt): Searcher {
  const { rows } = stored.header
  const pass = createScanPass({ type, rows, from: 0, to: blocksOf(stored, type) }, readAt)
  return {
    bytes: () => passBytes(type),
    search: (queries, radius) => pass.search(queries, radius),
    close: () => pass.idle(),
  }
}

/** Each thread reads and compares as many blocks as the others, give or take one. */
function searchIn(threads: ScanThreads, { handle, header }: StoredFile, type: ScanType): Searcher {
  files += 1
  const file = files
  const { rows } = header
  const blocks = Math.ceil(rows / rowsPerBlock(type))
  const edge = (share: number) => Math.floor((share * blocks) / threads.count)
  const underWay = new Set<Promise<RowHit[][]>>()
  return {
    bytes: () => threads.count * passBytes(type),
    async search(queries, radius) {
      const shares = Array.from({ length: threads.count }, (_, share) => {
        const range = { type, rows, from: edge(share), to: edge(share + 1) }
        const order = { file, fd: handle.fd, range, queries: new Uint8Array(queries), radius }
        return threads.search(share, order)
      })
      // A failed share does not end the others: the file stays open for them.
      const all = Promise.allSettled(shares).then(async () => await Promise.all(shares))
      underWay.add(all)
      return (await all.finally(() => underWay.delete(all))).flat()
    },
    async close() {
      await Promise.allSettled(underWay)
      threads.tell({ file })
    },
  }
}

function blocksOf({ header }: StoredFile, type: ScanType): number {
  return Math.ceil(header.rows / rowsPerBlock(type))
}
