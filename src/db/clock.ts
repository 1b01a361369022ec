// The one clock of all processes on one database: the database's own, asked now and then, and carried on in between by
// this machine's monotonic clock, which nobody can set.
//
// Promises: what `now` says is off by no more than the round trip of the last measurement and the drift since; setting this
// machine's clock changes nothing. It goes back only where it was ahead by more than `holdMsMax`: a smaller lead is waited
// for, so that no duration of ordinary work is negative. A longer wait would keep it ahead, and who is ahead takes leases
// that others hold; so it goes back at once, which every user of a clock here survives (domain/ms-since.ts).
// Assumes that somebody measures when it is due (roles/keep-time.ts). Before the first measurement it is this machine's
// clock. A database that is away changes nothing: it is carried on. Decision 0060.
import type { Clock } from '../domain/ports.ts'
import { ask, inTime } from './client.ts'
import type { Database } from './client.ts'

export const clockLimits = {
  everyMs: 15_000,
  /** Of a measurement, the one with the shortest round trip counts. */
  samples: 3,
  answerMs: 5_000,
  /** This machine's clocks disagree by so much more than at the last measurement: it slept, or one was set. */
  jumpMs: 1_000,
  holdMsMax: 1_000,
} as const

export type DatabaseClock = {
  /** Whole milliseconds since 1970, by the database. */
  now: Clock
  /** Throws RetryableError when the database does not answer; then all stays as it was. */
  measure(): Promise<void>
  isDue(): boolean
  /** How far this machine's own clock is ahead of `now`; negative: behind. */
  aheadMs(): number
}

export type DatabaseClockOptions = {
  /** The database's time, in milliseconds since 1970. */
  askMs: () => Promise<number>
  /** Never goes back and cannot be set. It may stand still while the machine sleeps. */
  monotonicMs?: () => number
  /** This machine's clock, which may be set. */
  machineMs?: () => number
}

export function createDatabaseClock(options: DatabaseClockOptions): DatabaseClock {
  const { askMs, monotonicMs = () => performance.now(), machineMs = Date.now } = options
  const machineBase = () => machineMs() - monotonicMs()
  /** What is added to the monotonic clock. */
  let baseMs = machineBase()
  let saidMs = -Infinity
  let last: { atMs: number; machineBaseMs: number } | undefined

  const now = () => {
    const ms = Math.floor(baseMs + monotonicMs())
    if (ms < saidMs && saidMs - ms <= clockLimits.holdMsMax) return saidMs
    saidMs = ms
    return ms
  }
  return {
    now,
    async measure() {
      // As it is before the first question: a machine that sleeps between two of them is asked again.
      const machineBaseMs = machineBase()
      const { leastMs, mostMs } = await shortest(askMs, monotonicMs)
      // A slow answer proves little: what it does not contradict stays.
      if (baseMs < leastMs || baseMs > mostMs) baseMs = (leastMs + mostMs) / 2
      last = { atMs: monotonicMs(), machineBaseMs }
    },
    isDue: () =>
      last === undefined ||
      monotonicMs() - last.atMs >= clockLimits.everyMs ||
      Math.abs(machineBase() - last.machineBaseMs) > clockLimits.jumpMs,
    aheadMs: () => machineMs() - now(),
  }
}

export function openDatabaseClock(db: Database): DatabaseClock {
  const what = 'ask the database for its time'
  return createDatabaseClock({
    async askMs() {
      const asked = db<{ ms: number }[]>`
        select (extract(epoch from clock_timestamp()) * 1000)::float8 as ms`
      const [row] = await inTime(ask(what, asked), what, clockLimits.answerMs)
      if (row === undefined) throw new TypeError('the database answers with one time')
      return row.ms
    },
  })
}

/** Between what and what the base lies: the database looked at its clock after it was asked and before it answered. */
async function shortest(
  askMs: () => Promise<number>,
  monotonicMs: () => number,
): Promise<{ leastMs: number; mostMs: number }> {
  let best = { leastMs: -Infinity, mostMs: Infinity }
  for (let n = 0; n < clockLimits.samples; n += 1) {
    const askedMs = monotonicMs()
    const ms = await askMs()
    const sample = { leastMs: ms - monotonicMs(), mostMs: ms - askedMs }
    if (sample.mostMs - sample.leastMs < best.mostMs - best.leastMs) best = sample
  }
  return best
}
