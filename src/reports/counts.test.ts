import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { sumCounts } from './counts.ts'
import { counts, hourly, hourMs, hours, seed, startMs, tallyOf, whole } from './entries-in-test.ts'
import type { ReportEntry } from './tally.ts'

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
