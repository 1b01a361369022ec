// For tests: `take_in` in memory with its gate, and a way to make it fail. Not part of the service.
import type { SourceBatch, TakeIn } from '../domain/batch.ts'
import { RetryableError } from '../domain/errors.ts'
import type { StoredCursor } from './firehose-options.ts'

export type MemoryIntake = {
  takeIn: TakeIn
  loadCursor(): Promise<StoredCursor>
  stored: StoredCursor
  batches: SourceBatch[]
  /** The next calls throw a RetryableError each: `before` anything is done, or `after` all of it is durable. */
  fail(...when: ('before' | 'after')[]): void
  /** Everything taken so far under one name of a batch. */
  all<
    Name extends
      'sightings' | 'gaps' | 'undecodable' | 'recordDeletes' | 'accounts' | 'identities' | 'urls',
  >(
    name: Name,
  ): SourceBatch[Name]
  /** Resolves when the condition holds, rejects after five seconds. */
  until(condition: () => boolean): Promise<void>
}

export function memoryIntake(stored: Partial<StoredCursor> = {}): MemoryIntake {
  const failures: ('before' | 'after')[] = []
  const deliveries = new Set<string>()
  const intake: MemoryIntake = {
    stored: { position: null, epoch: 1, eventTimeMs: null, ...stored },
    batches: [],
    loadCursor: () => Promise.resolve({ ...intake.stored }),
    fail: (...when) => void failures.push(...when),
    all: (name) => intake.batches.flatMap((batch) => batch[name] as never[]),
    takeIn: async (batch) => {
      await Promise.resolve()
      const failure = failures.shift()
      if (failure === 'before') throw new RetryableError('the database is away')
      const outcome = take(batch)
      if (failure === 'after') throw new RetryableError('the answer was lost')
      return outcome
    },
    async until(condition) {
      const end = performance.now() + 5_000
      while (!condition()) {
        if (performance.now() > end) throw new Error('waited five seconds in vain')
        await new Promise((resolve) => setTimeout(resolve, 2))
      }
    },
  }
  return intake

  function take(batch: SourceBatch): 'taken' | 'fenced' | 'duplicate' {
    const { cursor, delivery } = batch
    if (cursor !== undefined) {
      const { position, epoch } = intake.stored
      if (cursor.from !== position || cursor.epoch !== epoch) return 'fenced'
      intake.stored = { position: cursor.to, epoch, eventTimeMs: cursor.eventTimeMs }
    }
    if (delivery !== undefined) {
      const key = `${delivery.endpoint} ${delivery.id}`
      if (deliveries.has(key)) return 'duplicate'
      deliveries.add(key)
    }
    intake.batches.push(structuredClone(batch))
    return 'taken'
  }
}
