// Looks at the banks again and again, so that a change by another process is matched within a second.
import { bankBookLimits } from '../banks/bank-book.ts'
import type { BankBook } from '../banks/bank-book.ts'
import { sleep } from '../queue/run-loop.ts'
import type { Telemetry } from '../telemetry/events.ts'

/** While the database is away each look fails; five lines a second would tell nothing more. */
export const failureToldMs = 10_000

export async function watchBanks(
  options: {
    book: Pick<BankBook, 'refresh' | 'status'>
    telemetry: Pick<Telemetry, 'failed' | 'indexMeasured'>
    clock: () => number
    /** The index includes a later generation than at the look before. */
    onChanged: () => void
    wait?: typeof sleep
  },
  signal: AbortSignal,
): Promise<void> {
  const { book, telemetry, clock, wait = sleep } = options
  let generation = book.status().generation
  let toldAtMs: number | undefined
  while (!signal.aborted) {
    try {
      await book.refresh()
      toldAtMs = undefined
    } catch (error) {
      if (toldAtMs === undefined || clock() - toldAtMs >= failureToldMs) {
        toldAtMs = clock()
        telemetry.failed({ kind: 'match', error })
      }
    }
    const status = book.status()
    if (status.index !== undefined) {
      const lag = Math.max(0, status.head - status.generation)
      telemetry.indexMeasured({ status: status.index, lag })
    }
    if (status.generation !== generation) options.onChanged()
    generation = status.generation
    await wait(bankBookLimits.pollMs, signal)
  }
}
