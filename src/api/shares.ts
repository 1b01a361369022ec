// Work that holds much memory: so much at once, and of that so much for one caller, so that nobody waits for one alone.
//
// Promises: who waits first is served first among its own; nobody waits longer than `waitMs`; callers that have nothing are
// forgotten. A crash leaves nothing.
import { createSlots } from '../blobs/slots.ts'
import type { Slots } from '../blobs/slots.ts'

export type Shares = {
  /** undefined: the wait ran out. Else to be called once, when the work is over. */
  take(caller: number, signal: AbortSignal): Promise<(() => void) | undefined>
}

export function createShares(limits: {
  atOnce: number
  perCaller: number
  waitMs: number
}): Shares {
  const { atOnce, perCaller, waitMs } = limits
  const all = createSlots(atOnce)
  const callers = new Map<number, { own: Slots; users: number }>()
  return {
    async take(caller, signal) {
      const one = callers.get(caller) ?? { own: createSlots(perCaller), users: 0 }
      callers.set(caller, one)
      one.users += 1
      const leave = () => {
        one.users -= 1
        if (one.users === 0) callers.delete(caller)
      }
      if (!(await one.own.take({ signal, waitMs }))) {
        leave()
        return undefined
      }
      if (!(await all.take({ signal, waitMs }))) {
        one.own.give()
        leave()
        return undefined
      }
      let isOver = false
      return () => {
        if (isOver) return
        isOver = true
        all.give()
        one.own.give()
        leave()
      }
    },
  }
}
