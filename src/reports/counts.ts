// The hourly counts of a source, whether they add up, and which hours have none.
import type { Period, ReportEntry } from './tally.ts'

const hourMs = 3_600_000
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
    missing: sources.flatMap((source) => missingOf(source, hours, input)),
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

function missingOf(
  source: string,
  hours: readonly HourCounts[],
  { period, beganMs, nowMs }: { period: Period; beganMs: number; nowMs: number },
): HourSpan[] {
  const there = new Set(hours.filter((hour) => hour.source === source).map((hour) => hour.fromMs))
  const missing: number[] = []
  const first = Math.max(period.from.getTime(), Math.floor(beganMs / hourMs) * hourMs)
  // An hour is counted some minutes after its end: the last one may be on its way.
  const end = Math.min(period.to.getTime(), Math.floor(nowMs / hourMs) * hourMs - hourMs)
  for (let at = first; at < end; at += hourMs) if (!there.has(at)) missing.push(at)
  return spansOf(source, missing)
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
