// Threads that search, as many as there are cores, two at most: the thread that answers requests is free meanwhile. They
// hold nothing that is not elsewhere too: one that dies fails the searches that it had, and the next search starts another.
import { extname } from 'node:path'
import { availableParallelism } from 'node:os'
import { parentPort, Worker } from 'node:worker_threads'
import type { Transferable, WorkerOptions } from 'node:worker_threads'
import { errorMessage } from '../domain/errors.ts'
import type { RowHit } from './index-part.ts'

export type SearchThreads<Order, Notice> = AsyncDisposable & {
  readonly count: number
  /** `share`: which thread, from 0 to `count` - 1. `moved`: buffers of the order that it gets for good. */
  search(share: number, order: Order, moved?: Transferable[]): Promise<RowHit[]>
  /** To those that have been started. */
  tell(notice: Notice): void
}

type Message<Order, Notice> = { id: number; order: Order } | { notice: Notice }
type Answer = { id: number; hits: RowHit[] } | { id: number; error: unknown }

type Waiting = { resolve: (hits: RowHit[]) => void; reject: (error: unknown) => void }
type Thread = { worker: Worker; waiting: Map<number, Waiting> }

const threadsMax = 2
/** Of V8: what is searched lies beside it. */
const heapMb = { maxOldGenerationSizeMb: 64, maxYoungGenerationSizeMb: 8 }

/** `file`: beside this one, without its ending. `onWorker`: for tests, which kill it. */
export function createSearchThreads<Order, Notice = never>(options: {
  file: string
  startWith?: () => Pick<WorkerOptions, 'workerData' | 'transferList'>
  onWorker?: ((worker: Worker) => void) | undefined
}): SearchThreads<Order, Notice> {
  const { file, startWith = () => ({}), onWorker = () => {} } = options
  // `.ts` from the sources, `.js` from a published package.
  const url = new URL(`./${file}${extname(import.meta.filename)}`, import.meta.url)
  const count = Math.min(threadsMax, availableParallelism())
  const threads: (Thread | undefined)[] = Array.from({ length: count })
  let lastId = 0

  const start = (share: number): Thread => {
    const worker = new Worker(url, { resourceLimits: heapMb, ...startWith() })
    onWorker(worker)
    const thread: Thread = { worker, waiting: new Map() }
    threads[share] = thread
    worker.on('message', (answer: Answer) => settle(thread, answer))
    // An uncaught error is told before the thread has ended; what counts is the end.
    worker.on('error', () => {})
    worker.once('exit', (code) => {
      if (threads[share] === thread) threads[share] = undefined
      const error = new Error(`a thread that searches an index ended with code ${code}`)
      for (const { reject } of thread.waiting.values()) reject(error)
    })
    return thread
  }

  return {
    count,
    async search(share, order, moved = []) {
      const { worker, waiting } = threads[share] ?? start(share)
      const { promise, resolve, reject } = Promise.withResolvers<RowHit[]>()
      lastId += 1
      waiting.set(lastId, { resolve, reject })
      worker.ref()
      worker.postMessage({ id: lastId, order } satisfies Message<Order, Notice>, moved)
      return await promise
    },
    tell(notice) {
      for (const thread of threads)
        thread?.worker.postMessage({ notice } satisfies Message<Order, Notice>)
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(threads.map(async (thread) => await thread?.worker.terminate()))
    },
  }
}

function settle({ worker, waiting }: Thread, answer: Answer): void {
  const asked = waiting.get(answer.id)
  waiting.delete(answer.id)
  if (waiting.size === 0) worker.unref()
  if ('hits' in answer) asked?.resolve(answer.hits)
  else asked?.reject(new Error(errorMessage(answer.error), { cause: answer.error }))
}

/** What such a thread does. `search` and `onNotice` take what `createSearchThreads` was told that they would be sent. */
export function answerSearches(
  search: (order: never) => RowHit[] | Promise<RowHit[]>,
  onNotice: (notice: never) => void = () => {},
): void {
  const answer = async (id: number, order: unknown): Promise<Answer> => {
    try {
      return { id, hits: await search(order as never) }
    } catch (error) {
      return { id, error }
    }
  }
  parentPort?.on('message', (message: Message<unknown, unknown>) => {
    if ('notice' in message) onNotice(message.notice as never)
    else
      void answer(message.id, message.order).then((answered) => parentPort?.postMessage(answered))
  })
}
