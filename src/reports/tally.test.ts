import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { actionsToLookUp, sumActions } from './actions.ts'
import {
  counts,
  entry,
  hourly,
  hourMs,
  hours,
  log,
  noLookup,
  reported,
  seed,
  startMs,
  tallyOf,
} from './entries-in-test.ts'
import { sumPeople } from './people.ts'
import { spreadOf } from './quantile.ts'
import { emptyTally, mergeTallies } from './tally.ts'

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
