// What is heavy (comparing with all that was seen, or with every signal of every bank) is done one at a time.
import { RetryableError } from '../domain/errors.ts'

export const turnLimits = { waiting: 8 } as const

export type Turns = (<T>(work: () => Promise<T>) => Promise<T>) & { isFull: () => boolean }

/** Throws RetryableError when too many wait already. */
export function createTurns(): Turns {
  let last: Promise<unknown> = Promise.resolve()
  let waiting = 0
  const take = async <T>(work: () => Promise<T>): Promise<T> => {
    if (waiting >= turnLimits.waiting) throw new RetryableError('too many heavy questions wait')
    waiting += 1
    const before = last
    const turn = before.then(work, work)
    last = turn.catch(() => undefined)
    try {
      return await turn
    } finally {
      waiting -= 1
    }
  }
  return Object.assign(take, { isFull: () => waiting >= turnLimits.waiting })
}
