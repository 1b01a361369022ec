// A counted set of slots with a fair queue: who waits first is served first, and nobody waits for ever.

export type Slots = {
  /** True when a slot is ours; give it back. False when the wait ran out or the caller gave up. */
  take(options: { signal: AbortSignal; waitMs: number }): Promise<boolean>
  give(): void
}

export function createSlots(max: number): Slots {
  let taken = 0
  const waiting = new Set<() => void>()

  function take({ signal, waitMs }: { signal: AbortSignal; waitMs: number }): Promise<boolean> {
    if (signal.aborted) return Promise.resolve(false)
    if (taken < max) {
      taken += 1
      return Promise.resolve(true)
    }
    return new Promise((resolve) => {
      const settle = (got: boolean) => {
        clearTimeout(timer)
        signal.removeEventListener('abort', abandon)
        waiting.delete(grant)
        resolve(got)
      }
      const grant = () => settle(true)
      const abandon = () => settle(false)
      const timer = setTimeout(abandon, waitMs)
      signal.addEventListener('abort', abandon)
      waiting.add(grant)
    })
  }

  function give(): void {
    const [next] = waiting
    // The slot changes hands without becoming free, so a newcomer cannot overtake the queue.
    if (next === undefined) taken -= 1
    else next()
  }

  return { take, give }
}

/** Ends early, without an error, when the signal does. */
export function sleep(ms: number, signal: AbortSignal): Promise<void> {
  if (ms <= 0 || signal.aborted) return Promise.resolve()
  return new Promise((resolve) => {
    const wake = () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', wake)
      resolve()
    }
    const timer = setTimeout(wake, ms)
    signal.addEventListener('abort', wake)
  })
}
