// The period of a report, as it is typed: from and to, the last days, or a month. In whole hours of UTC.
import type { Command } from 'commander'
import { UsageError } from '../domain/errors.ts'
import type { Period } from '../reports/tally.ts'
import { parseDuration, parseMoment } from './parse.ts'

export type PeriodOptions = { from?: string; to?: string; last?: string; month?: string }

const hourMs = 3_600_000
const yearsMax = 10

export function addPeriod(command: Command): Command {
  return command
    .option('--from <WHEN>', 'the beginning: 2026-10-01, or a full hour like 2026-10-01T06:00Z')
    .option('--to <WHEN>', 'the end, which is not part of it; not set: the last full hour')
    .option('--last <SPAN>', 'instead: the last 30d, 24h, … up to the last full hour')
    .option('--month <YYYY-MM>', 'instead: a month')
}

/** Throws UsageError with what is wrong. */
export function parsePeriod(options: PeriodOptions, nowMs: number): Period {
  const ways = [options.from, options.last, options.month].filter((one) => one !== undefined)
  if (ways.length !== 1 || (options.to !== undefined && options.from === undefined))
    throw new UsageError('say the period once: --from and --to, --last 30d, or --month 2026-10')
  const period = periodOf(options, nowMs)
  if (period.from.getTime() >= period.to.getTime())
    throw new UsageError('the period ends before it begins')
  if (period.from.getTime() >= nowMs) throw new UsageError('the period has not begun yet')
  if (period.to.getTime() - period.from.getTime() > yearsMax * 366 * 24 * hourMs)
    throw new UsageError(`a period has ${yearsMax} years at most`)
  return period
}

function periodOf({ from, to, last, month }: PeriodOptions, nowMs: number): Period {
  const lastFull = new Date(Math.floor(nowMs / hourMs) * hourMs)
  if (month !== undefined) return monthOf(month)
  if (last !== undefined) {
    const spanMs = parseDuration(last, '--last')
    if (spanMs % hourMs !== 0) throw new UsageError('--last is in whole hours: 24h, 30d')
    return { from: new Date(lastFull.getTime() - spanMs), to: lastFull }
  }
  return {
    from: fullHour(from ?? '', '--from', nowMs),
    to: to === undefined ? lastFull : fullHour(to, '--to', nowMs),
  }
}

function monthOf(text: string): Period {
  const [, year, month] = /^(\d{4})-(0[1-9]|1[0-2])$/.exec(text) ?? []
  if (year === undefined || month === undefined)
    throw new UsageError('--month is a month like 2026-10')
  return {
    from: new Date(Date.UTC(Number(year), Number(month) - 1)),
    to: new Date(Date.UTC(Number(year), Number(month))),
  }
}

/** Counts are by the hour: a period that cut one could not add up. */
function fullHour(text: string, what: string, nowMs: number): Date {
  if (/^\d{1,6}[mhdw]$/.test(text))
    throw new UsageError(`${what} is a day like 2026-10-01 or a full hour; spans go with --last`)
  const at = parseMoment(text, what, nowMs)
  if (at.getTime() % hourMs !== 0)
    throw new UsageError(`${what} is a full hour (UTC): what came by is counted by the hour`)
  return at
}
