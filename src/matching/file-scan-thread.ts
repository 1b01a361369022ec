// A thread that searches its share of large files. It holds nothing that is not in the file: killing it harms nobody.
import { readSync } from 'node:fs'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { createScanPass } from './file-scan-pass.ts'
import type { ReadAt, ScanPass } from './file-scan-pass.ts'
import type { FileClosed, FileSearch } from './file-scan.ts'
import { answerSearches } from './search-threads.ts'

const passes = new Map<number, ScanPass>()

answerSearches(
  ({ file, fd, range, queries, radius }: FileSearch) => {
    const pass = passes.get(file) ?? createScanPass(range, readerOf(fd))
    passes.set(file, pass)
    return pass.search(queries, radius)
  },
  ({ file }: FileClosed) => passes.delete(file),
)

/** Nobody else wants this thread's time; a turn before each read lets further searches get on. */
function readerOf(fd: number): ReadAt {
  return async (bytes, position) => {
    await nextTurn()
    for (let read = 0; read < bytes.length;) {
      const some = readSync(fd, bytes, read, bytes.length - read, position + read)
      if (some === 0) throw new Error(`an index file ended early, at byte ${position + read}`)
      read += some
    }
  }
}
