// What is heavy waits for its turn: so many are worked on at once, so many wait in order, and the next one comes again.
import { RetryableError } from '../domain/errors.ts'

export type Turns = (<T>(work: () => Promise<T>) => Promise<T>) & { isFull: () => boolean }

/** Throws RetryableError when too many wait already. */
export function createTurns({ slots, waitingMax }: { slots: number; waitingMax: number }): Turns {
  let running = 0
  const waiting: (() => void)[] = []
  const isFull = () => running >= slots && waiting.length >= waitingMax
  const take = async <T>(work: () => Promise<T>): Promise<T> => {
    if (running >= slots) {
      if (isFull()) throw new RetryableError('too many wait already')
      // Whoever ends hands over the place, so nobody who comes meanwhile takes it.
      await new Promise<void>((resolve) => waiting.push(resolve))
    } else running += 1
    try {
      return await work()
    } finally {
      const next = waiting.shift()
      if (next === undefined) running -= 1
      else next()
    }
  }
  return Object.assign(take, { isFull })
}
