// Large files are scanned by as many threads as there are cores, two at most: each reads and compares its share of the
// blocks, and the thread that answers requests is free meanwhile. A thread that dies fails the searches that it had; the
// next search starts another.
import { extname } from 'node:path'
import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import { errorMessage } from '../domain/errors.ts'
import type { ScanRange } from './file-scan-pass.ts'
import type { RowHit } from './index-part.ts'

export type ScanOrder =
  | {
      kind: 'search'
      id: number
      /** Names the open file among those of this process. */
      file: number
      fd: number
      range: ScanRange
      queries: Uint8Array
      radius: number
    }
  | { kind: 'forget'; file: number }

export type ScanAnswer = { id: number; hits: RowHit[] } | { id: number; error: unknown }

export type ScanThreads = AsyncDisposable & {
  readonly count: number
  /** `share`: which thread, from 0 to `count` - 1. */
  search(
    share: number,
    order: Omit<ScanOrder & { kind: 'search' }, 'kind' | 'id'>,
  ): Promise<RowHit[]>
  /** After the last search in the file. */
  forget(file: number): void
}

type Waiting = { resolve: (hits: RowHit[]) => void; reject: (error: unknown) => void }
type Thread = { worker: Worker; waiting: Map<number, Waiting> }

const threadsMax = 2
/** Of V8: the blocks lie beside it. */
const heapMb = { maxOldGenerationSizeMb: 64, maxYoungGenerationSizeMb: 8 }

/** `.ts` from the sources, `.js` from a published package. */
const threadFile = new URL(`./file-scan-thread${extname(import.meta.filename)}`, import.meta.url)

/** `onWorker`: for tests, which kill it. */
export function createScanThreads(onWorker: (worker: Worker) => void = () => {}): ScanThreads {
  const count = Math.min(threadsMax, availableParallelism())
  const threads: (Thread | undefined)[] = Array.from({ length: count })
  let lastId = 0

  const start = (share: number): Thread => {
    const worker = new Worker(threadFile, {
      resourceLimits: heapMb,
    })
    onWorker(worker)
    const thread: Thread = { worker, waiting: new Map() }
    threads[share] = thread
    worker.on('message', (answer: ScanAnswer) => settle(thread, answer))
    // An uncaught error is told before the thread has ended; what counts is the end.
    worker.on('error', () => {})
    worker.once('exit', (code) => {
      if (threads[share] === thread) threads[share] = undefined
      const error = new Error(`a thread that scans an index file ended with code ${code}`)
      for (const { reject } of thread.waiting.values()) reject(error)
    })
    return thread
  }

  return {
    count,
    async search(share, order) {
      const { worker, waiting } = threads[share] ?? start(share)
      const { promise, resolve, reject } = Promise.withResolvers<RowHit[]>()
      lastId += 1
      waiting.set(lastId, { resolve, reject })
      worker.ref()
      worker.postMessage({ kind: 'search', id: lastId, ...order } satisfies ScanOrder)
      return await promise
    },
    forget(file) {
      for (const thread of threads)
        thread?.worker.postMessage({ kind: 'forget', file } satisfies ScanOrder)
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(threads.map(async (thread) => await thread?.worker.terminate()))
    },
  }
}

function settle({ worker, waiting }: Thread, answer: ScanAnswer): void {
  const asked = waiting.get(answer.id)
  waiting.delete(answer.id)
  if (waiting.size === 0) worker.unref()
  if ('hits' in answer) asked?.resolve(answer.hits)
  else asked?.reject(new Error(errorMessage(answer.error), { cause: answer.error }))
}
