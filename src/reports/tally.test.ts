import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { actionsToLookUp, sumActions } from './actions.ts'
import { groupTypes } from './changes.ts'
import { complianceCsv } from './compliance-csv.ts'
import { complianceText } from './compliance-text.ts'
import { makeReport } from './compliance.ts'
import type { Tables } from './compliance.ts'
import { sumCounts } from './counts.ts'
import { figure, span, table } from './markdown.ts'
import { sumPeople } from './people.ts'
import { spreadOf } from './quantile.ts'
import { addEntry, emptyTally, mergeTallies } from './tally.ts'
import type { Period, ReportEntry, Tally } from './tally.ts'

const seed = Number(process.env['BLOBWATCH_TEST_SEED'] ?? 20261121)
const hourMs = 3_600_000
const startMs = Date.parse('2026-10-01T00:00:00Z')
const hours = 48
const whole: Period = { from: new Date(startMs), to: new Date(startMs + hours * hourMs) }
const noLookup = { openedMs: new Map(), signals: new Map() }

function counts(input: {
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

function tallyOf(entries: readonly ReportEntry[], period: Period = whole): Tally {
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
const log = fc
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
const hourly = fc
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

describe('a tally', () => {
  test('of a period cut into parts, in any order of the parts, is the tally of the whole', () => {
    fc.assert(
      fc.property(
        log,
        hourly,
        fc.uniqueArray(fc.integer({ min: 1, max: hours - 1 }), { maxLength: 4 }),
        fc.boolean(),
        (entries, counted, cuts, turned) => {
          const all = [...entries, ...counted]
          const edges = [0, ...cuts.toSorted((a, b) => a - b), hours]
          const parts = edges.slice(1).map((to, index) =>
            tallyOf(all, {
              from: new Date(startMs + (edges[index] ?? 0) * hourMs),
              to: new Date(startMs + to * hourMs),
            }),
          )
          const merged = (turned ? parts.toReversed() : parts).reduce(mergeTallies, emptyTally())
          const [one, other] = [merged, tallyOf(all)].map(reported)
          assert.deepEqual(one, other)
        },
      ),
      { numRuns: 300, seed },
    )
  })

  test('counts an hour where it belongs, whenever it was written down', () => {
    const late = counts({ hour: hours - 1, blobs: 4, clear: 4, lateHours: 20 })
    const after = counts({ hour: hours, blobs: 7, clear: 7 })
    const tally = tallyOf([late, after])
    assert.deepEqual(
      tally.hours.map((hour) => hour.seen),
      [4],
    )
    assert.equal(tally.entries, 0, 'both were written after the period')
  })
})

/** Everything that a report says of a tally. */
function reported(tally: Tally) {
  return makeReport(tally, noTables, {
    deployment: 'test',
    period: whole,
    nowMs: whole.to.getTime() + 40 * hourMs,
    sources: ['firehose'],
    ledger: { log: 'test/log', size: 2000, head: 'ab', beganMs: startMs },
  })
}

const noTables: Tables = {
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

describe('the sum', () => {
  const summed = (entries: readonly ReportEntry[], nowMs = whole.to.getTime() + hourMs) =>
    sumCounts(tallyOf(entries).hours, {
      period: whole,
      beganMs: startMs,
      nowMs,
      sources: ['firehose'],
    })
  const full = Array.from({ length: hours }, (_, hour) => counts({ hour, blobs: 3, clear: 3 }))

  test('holds for every log whose hours hold', () => {
    fc.assert(
      fc.property(hourly, (entries) => {
        const { total, faults } = summed(entries)
        assert.deepEqual(faults, [])
        assert.equal(total.seen, total.clear + total.matched + total.unscannable + total.open)
      }),
      { numRuns: 200, seed },
    )
  })

  test('does not hold when one hour does not, even where another hides it', () => {
    const { total, faults } = summed([
      counts({ hour: 1, blobs: 5, clear: 4 }),
      counts({ hour: 2, blobs: 5, clear: 6 }),
    ])
    assert.equal(total.difference, 0)
    assert.equal(faults.length, 2)
    assert.match(faults[0] ?? '', /firehose, hour of 2026-10-01T01Z \(entry 1\).* by 1$/)
  })

  test('does not hold when reasons do not add up or an hour is counted twice', () => {
    const wrong = counts({ hour: 1, blobs: 2, unscannableBy: { corrupt: 2 } })
    wrong.pub['unscannableBy'] = { corrupt: 1 }
    assert.match(summed([wrong]).faults.join(), /2 unscannable, and 1 by reason/)
    assert.match(
      summed([counts({ hour: 1, blobs: 0 }), counts({ hour: 1, seq: 9, blobs: 0 })]).faults.join(),
      /entry 9\): this hour is counted twice/,
    )
  })

  test('names hours without a count and hours counted late, as stretches', () => {
    assert.deepEqual(summed(full).missing, [])
    const { missing, late } = summed([
      ...full.filter((_, hour) => hour < 10 || (hour >= 13 && hour !== 20)),
    ])
    assert.deepEqual(missing, [
      { source: 'firehose', from: new Date(startMs + 10 * hourMs), hours: 3 },
      { source: 'firehose', from: new Date(startMs + 20 * hourMs), hours: 1 },
    ])
    assert.deepEqual(late, [])
    const behind = full.with(5, counts({ hour: 5, blobs: 0, lateHours: 3 }))
    assert.deepEqual(summed(behind).late, [
      { source: 'firehose', from: new Date(startMs + 5 * hourMs), hours: 1 },
    ])
  })

  test('expects no count of before the log began, nor of an hour that has just ended', () => {
    const nowMs = startMs + 10 * hourMs + 1
    const { missing, pending } = sumCounts([], {
      period: whole,
      beganMs: startMs + 2.5 * hourMs,
      nowMs,
      sources: ['webhook'],
    })
    assert.deepEqual(missing, [
      { source: 'webhook', from: new Date(startMs + 2 * hourMs), hours: 7 },
    ])
    assert.deepEqual(pending, [
      { source: 'webhook', from: new Date(startMs + 9 * hourMs), hours: 2 },
    ])
  })
})

const entry = (
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

describe('actions', () => {
  test('are counted by kind, with results of what was planned before and of what was only held', () => {
    const tally = tallyOf([
      entry(1, 'action.intent', {
        action: 1,
        kind: 'takedown-blob',
        applied: true,
        byPerson: true,
      }),
      entry(2, 'action.intent', {
        action: 2,
        kind: 'takedown-blob',
        applied: true,
        byPerson: false,
      }),
      entry(3, 'action.result', { action: 1, outcome: 'done' }),
      entry(4, 'action.result', { action: 7, outcome: 'refused' }),
      entry(5, 'action.result', { action: 8, outcome: 'superseded' }),
      entry(6, 'action.intent', {
        action: 9,
        kind: 'takedown-blob',
        applied: false,
        byPerson: true,
      }),
    ])
    assert.deepEqual(actionsToLookUp(tally), [7, 8])
    const earlier = new Map([[7, { kind: 'label', applied: true, byPerson: false }]])
    const none = {
      planned: 0,
      byPerson: 0,
      openAtEnd: 0,
      done: 0,
      refused: 0,
      dead: 0,
      superseded: 0,
    }
    assert.deepEqual(sumActions(tally, earlier), [
      { kind: 'label', undo: false, ...none, refused: 1 },
      { kind: 'only held', undo: false, ...none, superseded: 1 },
      {
        kind: 'takedown-blob',
        undo: false,
        ...none,
        planned: 2,
        byPerson: 1,
        openAtEnd: 1,
        done: 1,
      },
      { kind: 'takedown-blob', undo: true, ...none, planned: 1, byPerson: 1, openAtEnd: 1 },
    ])
  })
})

describe('what people decided', () => {
  test('a match was wrong by the last word about its case, for each bank and type of it', () => {
    const decision = (seq: number, bank: string, type: string, caseNumber: number) =>
      entry(seq, 'decision', { bank, type, outcome: 'held', reason: 'x', case: caseNumber }, 0)
    const tally = tallyOf([
      decision(1, 'b1', 'pdq', 1),
      decision(2, 'b1', 'pdq', 2),
      decision(3, 'b2', 'sha256', 2),
      entry(4, 'case.opened', { case: 1, state: 'open' }, 1),
      entry(5, 'case.opened', { case: 2, state: 'open' }, 1),
      entry(6, 'case.confirm', { case: 1, before: 'open' }, 3),
      entry(7, 'case.overturn', { case: 1, before: 'confirmed' }, 4),
      entry(8, 'case.confirm', { case: 2, before: 'open' }, 5),
      entry(9, 'case.merged', { case: 4, into: 3 }, 5),
      decision(10, 'b9', 'md5', 4),
      entry(11, 'case.release', { case: 3, before: 'open' }, 6),
    ])
    const people = sumPeople(tally, {
      openedMs: new Map([[3, startMs - 4 * hourMs]]),
      signals: new Map(),
    })
    assert.deepEqual(people.errorRate, { right: 1, wrong: 2, rate: 2 / 3 })
    assert.deepEqual(people.errorRateByBank, [
      { bank: 'b1', right: 1, wrong: 1, rate: 0.5 },
      { bank: 'b2', right: 1, wrong: 0, rate: 0 },
      { bank: 'b9', right: 0, wrong: 1, rate: 1 },
    ])
    assert.deepEqual(people.timeToDecision, {
      count: 3,
      median: (4 * hourMs) / 1000,
      p95: (10 * hourMs) / 1000,
    })
    assert.equal(people.openedEarlier, 1)
    assert.deepEqual(people.byPrincipal, [{ principal: 'p3', decisions: 4 }])
  })

  test('nothing decided is no rate, not zero', () => {
    const people = sumPeople(emptyTally(), noLookup)
    assert.equal(people.errorRate.rate, null)
    assert.equal(people.timeToDecision, null)
    assert.equal(spreadOf([]), undefined)
  })

  test('median and percentile are values that occurred, by nearest rank', () => {
    fc.assert(
      fc.property(fc.array(fc.integer(), { minLength: 1 }), (values) => {
        const { median, p95, count } = spreadOf(values)!
        assert.equal(count, values.length)
        for (const [value, share] of [
          [median, 0.5],
          [p95, 0.95],
        ] as const) {
          assert.ok(values.includes(value))
          assert.ok(values.filter((one) => one <= value).length >= share * values.length)
          assert.ok(values.filter((one) => one < value).length < share * values.length)
        }
      }),
      { seed },
    )
  })
})

describe('the report', () => {
  const bad = counts({ hour: 0, blobs: 5, clear: 4 })

  test('says loudly when the sum does not hold, when hours lack and when nothing is anchored', () => {
    const good = complianceText(reportOf([counts({ hour: 0, blobs: 5, clear: 5 })]))
    assert.match(good, /\*\*The sum holds:\*\* 5 seen = 5 clear/)
    assert.match(good, /HOURS WITHOUT A COUNT: 47/)
    assert.match(good, /\*\*NONE\*\*/)
    const text = complianceText(reportOf([bad]))
    assert.match(text, /\*\*THE SUM DOES NOT HOLD:\*\* 5 seen/)
    assert.match(text, /entry 0/)
    assert.ok(!text.includes('The sum holds'))
    assert.equal(reportOf([bad]).holds, false)
  })

  test('has every entry of the period under one heading of its types', () => {
    fc.assert(
      fc.property(log, (entries) => {
        const { changes, ledger } = reportOf(entries)
        const counted = changes.counts.flatMap((group) => group.types)
        assert.equal(
          counted.reduce((sum, one) => sum + one.entries, 0),
          ledger.entries,
        )
        assert.equal(new Set(counted.map((one) => one.type)).size, counted.length)
      }),
      { numRuns: 100, seed },
    )
    assert.equal(groupTypes(new Map([['unheard.of', 1]]))[0]?.group, 'Other')
  })

  test('tells what changed of a policy and a mode, and who did it by number', () => {
    const { changes } = reportOf([
      entry(4, 'bank.set', {
        bank: 'b1',
        mode: 'act',
        policy: { exact: 'act', actions: ['label', 'takedown-blob'] },
        before: { mode: 'hold', policy: { exact: 'hold', actions: ['label'], label: 'spam' } },
      }),
    ])
    assert.deepEqual(changes.told, [
      {
        seq: 4,
        at: new Date(startMs + 4 * hourMs).toISOString(),
        type: 'bank.set',
        principal: 3,
        bank: 'b1',
        what: 'mode hold → act, actions label → label+takedown-blob, exact hold → act, label spam → none',
        bankName: 'SPAM',
      },
    ])
  })

  test('as CSV has four fields a line whatever stands in it', () => {
    const csv = complianceCsv({ ...reportOf([bad]), deployment: 'a "b", c\nd' })
    const rows = parseCsv(csv)
    assert.deepEqual(rows[0], ['section', 'key', 'value', 'unit'])
    assert.ok(rows.every((row) => row.length === 4))
    assert.ok(rows.some((row) => row[1] === 'deployment' && row[2] === 'a "b", c\nd'))
    const seen = rows.find(([section, key]) => section === 'completeness' && key === 'all seen')
    assert.equal(seen?.[2], '5')
  })
})

function reportOf(entries: readonly ReportEntry[]) {
  return reported(tallyOf(entries))
}

/** RFC 4180, strictly: fails on anything else. */
function parseCsv(text: string): string[][] {
  const rows: string[][] = []
  let at = 0
  while (at < text.length) {
    const row: string[] = []
    for (;;) {
      const [whole, quoted, bare] = /^(?:"((?:[^"]|"")*)"|([^",\r\n]*))/.exec(text.slice(at)) ?? []
      row.push(quoted === undefined ? (bare ?? '') : quoted.replaceAll('""', '"'))
      at += whole?.length ?? 0
      if (text[at] !== ',') break
      at += 1
    }
    assert.equal(text.slice(at, at + 2), '\r\n')
    at += 2
    rows.push(row)
  }
  return rows
}

test('numbers and spans are written to be read', () => {
  assert.equal(figure(1_234_567), '1\u00A0234\u00A0567')
  assert.deepEqual([0, 0.42, 9.96, 59.6, 61, 3600, 90_061, 86_400 * 40].map(span), [
    '0 s',
    '0.4 s',
    '10 s',
    '1 min',
    '1 min 1 s',
    '1 h',
    '1 d 1 h',
    '40 d',
  ])
  assert.deepEqual(table(['a', '>n'], [['x|y', '5']]), [
    '| a    |   n |',
    '| ---- | --: |',
    String.raw`| x\|y |   5 |`,
  ])
})
