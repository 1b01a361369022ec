// Time and aborts, by what every host of `fetch` has.

export type CallClock = {
  /** Aborts when the time is over or the caller's signal does. */
  signal: AbortSignal
  isOver: () => boolean
  restart: () => void
  stop: () => void
}

export function startClock(ms: number, given: AbortSignal | undefined): CallClock {
  const over = new AbortController()
  let timer: ReturnType<typeof setTimeout>
  const start = () => {
    timer = setTimeout(() => over.abort(), ms)
  }
  start()
  return {
    signal: given === undefined ? over.signal : AbortSignal.any([given, over.signal]),
    isOver: () => over.signal.aborted,
    restart() {
      clearTimeout(timer)
      start()
    },
    stop: () => clearTimeout(timer),
  }
}

/** Rejects with the signal's reason as soon as it aborts. */
export async function wait(ms: number, signal: AbortSignal | undefined): Promise<void> {
  const { promise, resolve } = deferred<void>()
  const timer = setTimeout(resolve, ms)
  try {
    await (signal === undefined ? promise : unlessAborted(promise, signal))
  } finally {
    clearTimeout(timer)
  }
}

export async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const aborted = deferred<never>()
  const abort = () => aborted.reject(signal.reason)
  // Not thrown before the race: work that fails too would then be nobody's.
  if (signal.aborted) abort()
  else signal.addEventListener('abort', abort, { once: true })
  try {
    return await Promise.race([work, aborted.promise])
  } finally {
    signal.removeEventListener('abort', abort)
  }
}

/** Promise.withResolvers, which Node 20 lacks. */
function deferred<T>() {
  let resolve!: (value: T) => void
  let reject!: (reason: unknown) => void
  const promise = new Promise<T>((yes, no) => {
    resolve = yes
    reject = no
  })
  return { promise, resolve, reject }
}
