// A thread that searches its share of large files. It holds nothing that is not in the file: killing it harms nobody.
import { readSync } from 'node:fs'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { parentPort } from 'node:worker_threads'
import { createScanPass } from './file-scan-pass.ts'
import type { ReadAt, ScanPass } from './file-scan-pass.ts'
import type { ScanAnswer, ScanOrder } from './file-scan-threads.ts'

const passes = new Map<number, ScanPass>()

parentPort?.on('message', (order: ScanOrder) => {
  if (order.kind === 'forget') passes.delete(order.file)
  else void search(order).then((answer) => parentPort?.postMessage(answer))
})

async function search(order: ScanOrder & { kind: 'search' }): Promise<ScanAnswer> {
  const { id, file, fd, range, queries, radius } = order
  try {
    const pass = passes.get(file) ?? createScanPass(range, readerOf(fd))
    passes.set(file, pass)
    return { id, hits: await pass.search(queries, radius) }
  } catch (error) {
    return { id, error }
  }
}

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
