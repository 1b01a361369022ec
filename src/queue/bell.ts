// A bell between loops of one process: ringing wakes whoever waits. It saves time and carries no truth:
// every loop also looks by itself after its idle time, so a lost ring costs that long and nothing else.
export type Bell = {
  ring(): void
  /** Ends after `ms`, at the next ring, or when the signal aborts; at once when it rang since the last wait. */
  wait(ms: number, signal: AbortSignal): Promise<void>
}

export function createBell(): Bell {
  let rung = false
  const waiting = new Set<() => void>()
  return {
    ring() {
      rung = waiting.size === 0
      for (const wake of waiting) wake()
    },
    async wait(ms, signal) {
      if (rung || signal.aborted) {
        rung = false
        return
      }
      await new Promise<void>((resolve) => {
        const wake = () => {
          clearTimeout(timer)
          signal.removeEventListener('abort', wake)
          waiting.delete(wake)
          resolve()
        }
        const timer = setTimeout(wake, ms)
        signal.addEventListener('abort', wake, { once: true })
        waiting.add(wake)
      })
    },
  }
}
