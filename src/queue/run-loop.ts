// The loops of the service: claim some work, do it with bounded concurrency, wait for more.
//
// Promises: at most `slots` pieces at once; a failure is told to `onError` and never ends the loop, except a FatalError,
// which ends it by throwing; when the signal aborts, nothing new is claimed and what runs is awaited.
import { FatalError } from '../domain/errors.ts'
import type { Bell } from './bell.ts'

export type LoopOptions<Work> = {
  slots: number
  /** At most `free` pieces; empty when there is nothing to do. */
  claim: (free: number) => Promise<Work[]>
  handle: (work: Work, signal: AbortSignal) => Promise<void>
  bell: Bell
  idleMs: number
  /** After a failed claim: the database is away, asking at once would not help. */
  failureMs: number
  onError: (error: unknown) => void
  /** Handed to the work; aborts later than the loop's own signal, so that what runs may finish. */
  workSignal: AbortSignal
}

export async function runLoop<Work>(
  options: LoopOptions<Work>,
  signal: AbortSignal,
): Promise<void> {
  const running = new Set<Promise<void>>()
  let fatal: FatalError | undefined

  const start = (work: Work) => {
    const piece = options
      .handle(work, options.workSignal)
      .catch((error: unknown) => {
        if (error instanceof FatalError) fatal = error
        options.onError(error)
      })
      .finally(() => {
        running.delete(piece)
        options.bell.ring()
      })
    running.add(piece)
  }

  while (!signal.aborted && fatal === undefined) {
    let waitMs = options.idleMs
    try {
      const free = options.slots - running.size
      const claimed = free > 0 ? await options.claim(free) : []
      for (const work of claimed) start(work)
      if (claimed.length === free && free > 0) continue
    } catch (error) {
      if (error instanceof FatalError) fatal = error
      options.onError(error)
      waitMs = options.failureMs
    }
    await options.bell.wait(waitMs, signal)
  }
  await Promise.all(running)
  if (fatal !== undefined) throw fatal
}

/** Sleeps; returns early, without an error, when the signal aborts. */
export async function sleep(ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return
  await new Promise<void>((resolve) => {
    const done = () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
    const timer = setTimeout(done, ms)
    signal.addEventListener('abort', done, { once: true })
  })
}
