// The hourly counts of a source, whether they add up, and which hours have none.
import type { Period, ReportEntry } from './tally.ts'

const hourMs = 3_600_000
/** An hour is counted within minutes of its end: one that ended just now is not missing yet. */
const graceMs = 15 * 60_000
/** An hour that was counted this long after its end: nothing ran when it should have been. */
const lateMs = hourMs

export type Counts = {
  sightings: number
  /** Blobs seen, each once an hour and source. */
  seen: number
  scanned: number
  lowQuality: number
  clear: number
  matched: number
  unscannable: number
  open: number
}
export type HourCounts = Counts & {
  seq: number
  source: string
  fromMs: number
  countedMs: number
  unscannableBy: Record<string, number>
  openGaps: number
}
export type SourceSum = Counts & { source: string; hours: number; difference: number }
export type HourSpan = { source: string; from: Date; hours: number }

export type Completeness = {
  total: Counts & { hours: number; difference: number }
  bySource: SourceSum[]
  unscannableBy: { reason: string; blobs: number }[]
  /** Empty when everything adds up. */
  faults: string[]
  /** Full hours of the period that no entry counts. */
  missing: HourSpan[]
  /** Hours that are not over, or ended so shortly before the report was made that their count is on its way. */
  pending: HourSpan[]
  /** Counted when the service ran again. */
  late: HourSpan[]
  openGapsAtEnd: { source: string; gaps: number }[]
}

const fields = [
  'sightings',
  'seen',
  'scanned',
  'lowQuality',
  'clear',
  'matched',
  'unscannable',
  'open',
] as const satisfies (keyof Counts)[]

export function countsOf({ seq, t, pub }: ReportEntry): HourCounts {
  const number = (key: string) => (typeof pub[key] === 'number' ? pub[key] : 0)
  return {
    seq,
    source: String(pub['source']),
    fromMs: Date.parse(String(pub['from'])),
    countedMs: Date.parse(t),
    sightings: number('seen'),
    seen: number('blobs'),
    scanned: number('scanned'),
    lowQuality: number('lowQuality'),
    clear: number('clear'),
    matched: number('matched'),
    unscannable: number('unscannable'),
    open: number('open'),
    unscannableBy: (pub['unscannableBy'] ?? {}) as Record<string, number>,
    openGaps: number('openGaps'),
  }
}

/** `beganMs`: the first entry of the log; hours before it are not expected. `nowMs`: hours after it neither. */
export function sumCounts(
  hours: readonly HourCounts[],
  input: { period: Period; beganMs: number; nowMs: number; sources: readonly string[] },
): Completeness {
  const sources = [...new Set([...input.sources, ...hours.map((hour) => hour.source)])].toSorted()
  const faults: string[] = []
  const bySource = sources.map((source) => {
    const own = hours.filter((hour) => hour.source === source)
    faults.push(...faultsOf(source, own))
    return { source, hours: own.length, ...added(own) }
  })
  const total = { hours: hours.length, ...added(hours) }
  const reasons = new Map<string, number>()
  for (const hour of hours) {
    for (const [reason, blobs] of Object.entries(hour.unscannableBy))
      reasons.set(reason, (reasons.get(reason) ?? 0) + blobs)
  }
  return {
    total,
    bySource,
    unscannableBy: [...reasons]
      .map(([reason, blobs]) => ({ reason, blobs }))
      .toSorted((a, b) => b.blobs - a.blobs || (a.reason < b.reason ? -1 : 1)),
    faults,
    missing: sources.flatMap((source) => uncountedOf(source, hours, input).missing),
    pending: sources.flatMap((source) => uncountedOf(source, hours, input).pending),
    late: sources.flatMap((source) =>
      spansOf(
        source,
        hours
          .filter((hour) => hour.source === source)
          .filter((hour) => hour.countedMs - (hour.fromMs + hourMs) > lateMs)
          .map((hour) => hour.fromMs),
      ),
    ),
    openGapsAtEnd: sources.flatMap((source) => {
      const last = hours
        .filter((hour) => hour.source === source)
        .toSorted((a, b) => b.fromMs - a.fromMs || b.seq - a.seq)[0]
      return last === undefined || last.openGaps === 0 ? [] : [{ source, gaps: last.openGaps }]
    }),
  }
}

function added(hours: readonly Counts[]): Counts & { difference: number } {
  const sum = Object.fromEntries(
    fields.map((field) => [field, hours.reduce((total, hour) => total + hour[field], 0)]),
  ) as Counts
  return { ...sum, difference: differenceOf(sum) }
}

function differenceOf({ seen, clear, matched, unscannable, open }: Counts): number {
  return seen - clear - matched - unscannable - open
}

function faultsOf(source: string, hours: readonly HourCounts[]): string[] {
  const faults: string[] = []
  const seen = new Set<number>()
  for (const hour of hours.toSorted((a, b) => a.fromMs - b.fromMs || a.seq - b.seq)) {
    const when = `${source}, hour of ${new Date(hour.fromMs).toISOString().slice(0, 13)}Z (entry ${hour.seq})`
    const difference = differenceOf(hour)
    if (difference !== 0)
      faults.push(
        `${when}: seen differs from clear + matched + unscannable + open by ${difference}`,
      )
    const reasons = Object.values(hour.unscannableBy).reduce((sum, blobs) => sum + blobs, 0)
    if (reasons !== hour.unscannable)
      faults.push(`${when}: ${hour.unscannable} unscannable, and ${reasons} by reason`)
    if (seen.has(hour.fromMs)) faults.push(`${when}: this hour is counted twice`)
    seen.add(hour.fromMs)
  }
  return faults
}

function uncountedOf(
  source: string,
  hours: readonly HourCounts[],
  { period, beganMs, nowMs }: { period: Period; beganMs: number; nowMs: number },
): { missing: HourSpan[]; pending: HourSpan[] } {
  const there = new Set(hours.filter((hour) => hour.source === source).map((hour) => hour.fromMs))
  const [missing, pending]: [number[], number[]] = [[], []]
  const first = Math.max(period.from.getTime(), Math.floor(beganMs / hourMs) * hourMs)
  const end = Math.min(period.to.getTime(), nowMs)
  for (let at = first; at < end; at += hourMs) {
    if (there.has(at)) continue
    if (at + hourMs + graceMs <= nowMs) missing.push(at)
    else pending.push(at)
  }
  return { missing: spansOf(source, missing), pending: spansOf(source, pending) }
}

function spansOf(source: string, hoursMs: readonly number[]): HourSpan[] {
  const spans: HourSpan[] = []
  for (const at of hoursMs.toSorted((a, b) => a - b)) {
    const last = spans.at(-1)
    if (last !== undefined && last.from.getTime() + last.hours * hourMs === at) last.hours += 1
    else spans.push({ source, from: new Date(at), hours: 1 })
  }
  return spans
}
