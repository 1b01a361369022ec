// Keeps the one clock right (db/clock.ts), and tells when this machine's own is another.
//
// A look a second costs nothing; it asks the database when that is due, which is at once after this machine slept or its
// clock was set. While the database is away the clock is carried on.
import type { DatabaseClock } from '../db/clock.ts'
import { sleep } from '../queue/run-loop.ts'
import type { Telemetry } from '../telemetry/events.ts'

export const timeLimits = { lookMs: 1_000, aheadToldMs: 5_000, failureToldMs: 10_000 } as const

export async function keepTime(
  options: {
    clock: DatabaseClock
    telemetry: Pick<Telemetry, 'failed' | 'log' | 'measured'>
    wait?: typeof sleep
  },
  signal: AbortSignal,
): Promise<void> {
  const { clock, telemetry, wait = sleep } = options
  let isApart = false
  let looksToTell = 0
  while (!signal.aborted) {
    try {
      if (clock.isDue()) await clock.measure()
      looksToTell = 0
    } catch (error) {
      if (looksToTell === 0) telemetry.failed({ kind: 'settle', error })
      looksToTell = (looksToTell + 1) % (timeLimits.failureToldMs / timeLimits.lookMs)
    }
    const ms = clock.aheadMs()
    telemetry.measured({ blobwatch_clock_ahead_seconds: ms / 1000 })
    if (isApart !== Math.abs(ms) > timeLimits.aheadToldMs) {
      isApart = !isApart
      if (isApart)
        telemetry.log.warn("this machine's clock is not the database's, which counts", { ms })
      else telemetry.log.info("this machine's clock is the database's again", { ms })
    }
    await wait(timeLimits.lookMs, signal)
  }
}
