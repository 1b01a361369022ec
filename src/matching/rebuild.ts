// Building in a thread of its own, so that nothing waits for it. The thread is started with the first job and kept: two
// hundred threads one after the other leave tens of megabytes behind. One that died is replaced with the next job.
import { extname } from 'node:path'
import { Worker } from 'node:worker_threads'
import { errorMessage } from '../domain/errors.ts'
import type { KernelModule, SharedMemory } from './kernel-webassembly.ts'

export type RebuildJob = { memory: SharedMemory; module: KernelModule } & (
  | /** Sorts the rows that lie in the memory's blocks. */ { kind: 'in-place' }
    /** Leaves the memory as it is and builds another, or the spare one, from what is live and so many rows in blocks. */
  | { kind: 'copy'; pending: number; spare?: SharedMemory }
)

export type RebuildAnswer =
  { kind: 'built'; memory: SharedMemory } | { kind: 'failed'; error: unknown }

export type Rebuilder = {
  /** One at a time. The memory that is ready to be searched; rejects when that failed or the thread has ended. */
  run(job: RebuildJob): Promise<SharedMemory>
  /** Resolves when the thread has ended; a job that was running rejects. */
  stop(): Promise<void>
}

/** What the thread works on is shared memory; its own objects are few. V8's limit would be 48 MB, reached after thousands of jobs. */
const youngMbMax = 4

/** `.ts` from the sources, `.js` from a published package. */
const workerFile = new URL(`./rebuild-worker${extname(import.meta.filename)}`, import.meta.url)

/** `onWorker`: for tests, which kill it. */
export function createRebuilder(onWorker: (worker: Worker) => void = () => {}): Rebuilder {
  let worker: Worker | undefined
  const start = () => {
    const started = new Worker(workerFile, {
      resourceLimits: { maxYoungGenerationSizeMb: youngMbMax },
    })
    // An uncaught error is told before the thread has ended; what counts is the end.
    started.on('error', () => {})
    started.once('exit', () => {
      if (worker === started) worker = undefined
    })
    worker = started
    return started
  }
  return {
    async run(job) {
      const running = worker ?? start()
      running.ref()
      onWorker(running)
      try {
        return await answerTo(job, running)
      } finally {
        running.unref()
      }
    },
    async stop() {
      await worker?.terminate()
    },
  }
}

async function answerTo(job: RebuildJob, worker: Worker): Promise<SharedMemory> {
  const { promise, resolve, reject } = Promise.withResolvers<SharedMemory>()
  const onMessage = (answer: RebuildAnswer) => {
    if (answer.kind === 'built') resolve(answer.memory)
    else reject(new Error(errorMessage(answer.error), { cause: answer.error }))
  }
  const onExit = (code: number) => reject(new Error(`building the index ended with code ${code}`))
  worker.on('message', onMessage)
  worker.on('exit', onExit)
  worker.postMessage(job)
  try {
    return await promise
  } finally {
    worker.off('message', onMessage)
    worker.off('exit', onExit)
  }
}
