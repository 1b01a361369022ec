// Entries and tallies for the tests of this room: two days of October, by hand and by chance.
import fc from 'fast-check'
import { makeReport } from './compliance.ts'
import type { ComplianceReport, Tables } from './compliance.ts'
import { addEntry, emptyTally } from './tally.ts'
import type { Period, ReportEntry, Tally } from './tally.ts'

export const seed = Number(process.env['BLOBWATCH_TEST_SEED'] ?? 20261121)
export const hourMs = 3_600_000
export const startMs = Date.parse('2026-10-01T00:00:00Z')
export const hours = 48
export const whole: Period = { from: new Date(startMs), to: new Date(startMs + hours * hourMs) }
export const noLookup = { openedMs: new Map(), signals: new Map() }

export function counts(input: {
  seq?: number
  source?: string
  hour: number
  blobs: number
  clear?: number
  matched?: number
  unscannableBy?: Record<string, number>
  open?: number
  lateHours?: number
}): ReportEntry {
  const unscannableBy = input.unscannableBy ?? {}
  const atMs = startMs + (input.hour + 1 + (input.lateHours ?? 0)) * hourMs + 60_000
  return {
    seq: input.seq ?? input.hour,
    t: new Date(atMs).toISOString(),
    type: 'counts',
    actor: { kind: 'system' },
    pub: {
      source: input.source ?? 'firehose',
      from: new Date(startMs + input.hour * hourMs).toISOString(),
      seen: input.blobs * 2,
      blobs: input.blobs,
      scanned: input.blobs,
      lowQuality: 0,
      clear: input.clear ?? 0,
      matched: input.matched ?? 0,
      unscannable: Object.values(unscannableBy).reduce((sum, n) => sum + n, 0),
      unscannableBy,
      open: input.open ?? 0,
      openGaps: 0,
    },
  }
}

export function tallyOf(entries: readonly ReportEntry[], period: Period = whole): Tally {
  const tally = emptyTally()
  for (const entry of entries) addEntry(tally, entry, period)
  return tally
}

const small = fc.integer({ min: 1, max: 5 })
const outcomes = ['held', 'acted', 'observed']
const pubs: Record<string, fc.Arbitrary<Record<string, unknown>>> = {
  decision: fc.record({
    decision: fc.nat(),
    bank: small.map((n) => `b${n}`),
    type: fc.constantFrom('sha256', 'pdq'),
    outcome: fc.constantFrom(...outcomes),
    reason: fc.constantFrom('exact', 'perceptual'),
    case: small,
  }),
  'action.result': fc.record({
    action: small,
    outcome: fc.constantFrom('done', 'refused', 'superseded'),
  }),
  'case.opened': fc.record({ case: small, state: fc.constantFrom('open', 'acted') }),
  'case.reopened': fc.record({ case: small }),
  'case.confirm': fc.record({ case: small, before: fc.constantFrom('open', 'acted') }),
  'case.overturn': fc.record({ case: small, before: fc.constantFrom('confirmed', 'acted') }),
  'case.appeal': fc.record({
    case: small,
    appeal: small,
    event: fc.constantFrom('received', 'upheld', 'rejected'),
    received: fc.constant('2026-09-30T00:00:00Z'),
  }),
  'import.batch': fc.record({ bank: fc.constant('b1'), added: small, removed: small }),
  'bank.set': fc.record({ bank: fc.constant('b1'), mode: fc.constant('act') }),
  'something.new': fc.record({ n: small }),
}

/** A log: times never run backwards; each action has one intent. */
export const log: fc.Arbitrary<ReportEntry[]> = fc
  .array(
    fc.tuple(
      fc.nat({ max: hours * hourMs - 1 }),
      fc.oneof(
        ...Object.entries(pubs).map(([type, pub]) => pub.map((value) => ({ type, pub: value }))),
      ),
    ),
    { maxLength: 60 },
  )
  .map((rows): ReportEntry[] =>
    rows
      .toSorted(([a], [b]) => a - b)
      .map(([offset, { type, pub }], seq) => ({
        seq,
        t: new Date(startMs + offset).toISOString(),
        type,
        actor: { kind: 'person', principal: 1 + (seq % 3) },
        pub,
      })),
  )
export const hourly = fc
  .uniqueArray(fc.integer({ min: 0, max: hours - 1 }), { maxLength: hours })
  .chain((list) =>
    fc.tuple(
      ...list.map((hour) =>
        fc
          .tuple(fc.nat({ max: 9 }), fc.nat({ max: 9 }), fc.nat({ max: 30 }))
          .map(([clear, bad, lateHours]) =>
            counts({
              hour,
              seq: 1000 + hour,
              blobs: clear + bad,
              clear,
              unscannableBy: bad === 0 ? {} : { corrupt: bad },
              lateHours,
            }),
          ),
      ),
    ),
  )

/** Everything that a report says of a tally. */
export function reported(tally: Tally): ComplianceReport {
  return makeReport(tally, noTables, {
    deployment: 'test',
    period: whole,
    nowMs: whole.to.getTime() + 40 * hourMs,
    sources: ['firehose'],
    ledger: { log: 'test/log', size: 2000, head: 'ab', beganMs: startMs },
  })
}

export const noTables: Tables = {
  banks: [{ bank: 'b1', class: 'open', name: 'SPAM' }],
  earlierIntents: new Map(),
  earlierCases: noLookup,
  timeliness: [],
  openIntents: [],
  heldNow: [],
  openCases: { cases: 0, oldest: null },
  openAppeals: 0,
  gaps: { opened: 0, closed: 0, openNow: [] },
  lists: [],
  checkpoint: null,
}

export const entry = (
  seq: number,
  type: string,
  pub: Record<string, unknown>,
  hour = seq,
): ReportEntry => ({
  seq,
  t: new Date(startMs + hour * hourMs).toISOString(),
  type,
  actor: { kind: 'person', principal: 3 },
  pub,
})

export function reportOf(entries: readonly ReportEntry[]): ComplianceReport {
  return reported(tallyOf(entries))
}
