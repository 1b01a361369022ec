import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import * as fc from 'fast-check'
import {
  judgeFirst,
  jumpSilenceMsMin,
  jumpSilenceMsUnknown,
  nextNormalSilence,
} from './gap-rule.ts'
import { arrive, forgetNumbers, openGap, startPosition } from './position.ts'

const minute = 60_000
const now = 1_000 * minute

function judge(seq: number, silenceMs: number, normalSilenceMs?: number) {
  const cursor = { seq: 100, timeMs: now }
  return judgeFirst({ cursor, first: { seq, timeMs: now + silenceMs }, normalSilenceMs })
}

describe('judgeFirst', () => {
  it('believes a stream that goes on with the next number, however long the silence', () => {
    assert.equal(judge(101, 9e9, 10), 'continuous')
  })

  it('believes a hole in the numbers while the time goes on', () => {
    assert.equal(judge(5_000, jumpSilenceMsMin, 10), 'continuous')
    assert.equal(judge(5_000, 20 * minute, 10 * minute), 'continuous')
    assert.equal(judge(5_000, jumpSilenceMsUnknown), 'continuous')
  })

  it('tells a hole together with more than twice the usual silence from a quiet night', () => {
    assert.equal(judge(102, jumpSilenceMsMin + 1, 10), 'jump')
    assert.equal(judge(102, 20 * minute + 1, 10 * minute), 'jump')
    assert.equal(judge(102, jumpSilenceMsUnknown + 1), 'jump')
  })

  it('takes a lower number at a later time for numbers that began anew', () => {
    assert.equal(judge(3, jumpSilenceMsMin + 1, 10), 'renumbered')
    assert.equal(judge(100, -5, 10), 'continuous')
  })

  it('judges nothing without both times', () => {
    const cursor = { seq: 100, timeMs: null }
    const first = { seq: 900, timeMs: now }
    assert.equal(judgeFirst({ cursor, first, normalSilenceMs: 1 }), 'continuous')
    assert.equal(judgeFirst({ cursor: first, first: cursor, normalSilenceMs: 1 }), 'continuous')
  })
})

describe('nextNormalSilence', () => {
  it('is never shorter than the silence just seen and forgets a long one in time', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(minute), { minLength: 1 }), (silences) => {
        let normal: number | undefined
        for (const silence of silences) {
          normal = nextNormalSilence(normal, silence)
          assert.ok(normal >= silence)
        }
      }),
    )
    let normal = nextNormalSilence(undefined, 60 * minute)
    for (let i = 0; i < 2_000; i += 1) normal = nextNormalSilence(normal, 100)
    assert.ok(normal < 1_000)
  })
})

describe('arrive', () => {
  const timeMs = now - minute
  const at = (seq: number, ms = timeMs) => ({ seq, timeMs: ms })

  it('opens with a first-start gap where no cursor is stored', () => {
    const position = startPosition({ position: null, eventTimeMs: null })
    assert.deepEqual(arrive(position, at(7), now), {
      kind: 'take',
      gap: { reason: 'first-start', fromSeq: null, fromTimeMs: null, toSeq: 7, toTimeMs: timeMs },
    })
    assert.deepEqual(arrive(position, at(9), now), { kind: 'take' })
  })

  it('takes each number once and in order, whatever is repeated', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 50 })), (seqs) => {
        const position = startPosition({ position: 10, eventTimeMs: timeMs })
        const taken = seqs.filter((seq) => arrive(position, at(seq), now).kind === 'take')
        assert.ok(taken.every((seq) => seq > 10))
        assert.deepEqual(
          taken,
          [...new Set(taken)].toSorted((a, b) => a - b),
        )
      }),
    )
  })

  it('ends an outdated cursor at the first event that is new', () => {
    const position = startPosition({ position: 10, eventTimeMs: timeMs })
    openGap(position, 'outdated-cursor')
    assert.deepEqual(arrive(position, at(10), now), { kind: 'skip' })
    const outcome = arrive(position, at(90, now), now)
    assert.deepEqual(outcome, {
      kind: 'take',
      gap: { reason: 'outdated-cursor', fromSeq: 10, fromTimeMs: timeMs, toSeq: 90, toTimeMs: now },
    })
  })

  it('begins anew below the stored position after a future cursor', () => {
    const position = startPosition({ position: 1_000, eventTimeMs: timeMs })
    forgetNumbers(position)
    const outcome = arrive(position, at(3, now), now)
    assert.equal(outcome.kind === 'take' && outcome.gap?.reason, 'future-cursor')
    assert.deepEqual([position.stored, position.seen], [1_000, 3])
  })

  it('notices lost events only right after a connect', () => {
    const position = startPosition({ position: 10, eventTimeMs: timeMs - 100 * minute })
    const outcome = arrive(position, at(50), now)
    assert.equal(outcome.kind === 'take' && outcome.gap?.reason, 'sequence-jump')
    const later = now + 500 * minute
    assert.deepEqual(arrive(position, at(70, later), later), { kind: 'take' })
    position.fresh = true
    assert.equal(arrive(position, at(3, later), later).kind, 'skip')
  })

  it('takes a new event under an old number for numbers that began anew', () => {
    const position = startPosition({ position: 900, eventTimeMs: timeMs - 60 * minute })
    const outcome = arrive(position, at(3), now)
    assert.equal(outcome.kind === 'take' && outcome.gap?.reason, 'sequence-jump')
    assert.deepEqual([position.stored, position.seen], [900, 3])
  })

  it('learns the usual silence, over a reconnect too where the numbers go on', () => {
    const position = startPosition({ position: 10, eventTimeMs: timeMs - 60 * minute })
    arrive(position, at(11), now)
    position.fresh = true
    assert.deepEqual(arrive(position, at(20, timeMs + 100 * minute), now * 2), { kind: 'take' })
    position.fresh = true
    const outcome = arrive(position, at(30, timeMs + 400 * minute), now * 2)
    assert.equal(outcome.kind === 'take' && outcome.gap?.reason, 'sequence-jump')
  })

  it('does not believe a time from the future', () => {
    const position = startPosition({ position: 10, eventTimeMs: timeMs })
    const outcome = arrive(position, at(50, now * 2), now)
    assert.deepEqual([outcome, position.timeMs], [{ kind: 'take' }, timeMs])
  })
})
