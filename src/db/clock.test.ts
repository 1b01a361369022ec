import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { RetryableError } from '../domain/errors.ts'
import { clockLimits, createDatabaseClock } from './clock.ts'

const startMs = 1_800_000_000_000

/** A machine and a database whose clocks stand still but for what a test lets pass. */
function setting(machineAheadMs = 0) {
  const now = { monotonicMs: 5_000, machineMs: startMs + machineAheadMs, databaseMs: startMs }
  /** What the next answers take, before and after the database looks at its clock. */
  const trips: { thereMs: number; backMs: number }[] = []
  let isAway = false
  const pass = (ms: number, { asleep = false } = {}) => {
    if (!asleep) now.monotonicMs += ms
    now.machineMs += ms
    now.databaseMs += ms
  }
  const clock = createDatabaseClock({
    askMs: () => {
      if (isAway) return Promise.reject(new RetryableError('the database is away'))
      const { thereMs, backMs } = trips.shift() ?? { thereMs: 0, backMs: 0 }
      pass(thereMs)
      const ms = now.databaseMs
      pass(backMs)
      return Promise.resolve(ms)
    },
    monotonicMs: () => now.monotonicMs,
    machineMs: () => now.machineMs,
  })
  const goAway = () => void (isAway = true)
  /** How far the clock is from what it has to say. */
  const offMs = () => clock.now() - now.databaseMs
  return { clock, now, trips, pass, goAway, offMs }
}

describe('the clock of the database', () => {
  test('is this machine’s before it was measured, then the database’s, whatever this machine’s says', async () => {
    for (const aheadMs of [150_000, -150_000, 365 * 86_400_000]) {
      const { clock, pass, offMs } = setting(aheadMs)
      assert.deepEqual([offMs(), clock.isDue()], [aheadMs, true])
      await clock.measure()
      assert.deepEqual([offMs(), clock.aheadMs(), clock.isDue()], [0, aheadMs, false])
      pass(10_000)
      assert.deepEqual([offMs(), clock.aheadMs(), clock.isDue()], [0, aheadMs, false])
    }
  })

  test('goes on as it went when this machine’s clock is set, and asks for a measurement', async () => {
    for (const jumpMs of [3_600_000, -3_600_000, clockLimits.jumpMs + 1, -clockLimits.jumpMs - 1]) {
      const { clock, now, pass, offMs } = setting(20)
      await clock.measure()
      pass(1_000)
      now.machineMs += jumpMs
      assert.deepEqual([offMs(), clock.aheadMs(), clock.isDue()], [0, 20 + jumpMs, true])
      await clock.measure()
      assert.deepEqual([offMs(), clock.isDue()], [0, false])
    }
  })

  test('is measured again after a while', async () => {
    const { clock, pass } = setting()
    await clock.measure()
    pass(clockLimits.everyMs - 1)
    assert.equal(clock.isDue(), false)
    pass(1)
    assert.equal(clock.isDue(), true)
  })

  test('asks for a measurement when the machine slept, also in the middle of one', async () => {
    const { clock, pass, offMs, trips } = setting()
    await clock.measure()
    pass(3_600_000, { asleep: true })
    assert.deepEqual([offMs(), clock.isDue()], [-3_600_000, true])
    await clock.measure()
    assert.deepEqual([offMs(), clock.isDue()], [0, false])

    const slept = setting()
    const sleeping = {
      get thereMs() {
        slept.pass(3_600_000, { asleep: true })
        return 0
      },
      backMs: 1,
    }
    slept.trips.push({ thereMs: 0, backMs: 0 }, sleeping)
    await slept.clock.measure()
    assert.equal(slept.clock.isDue(), true)
    assert.equal(trips.length, 0)
  })

  test('takes the answer with the shortest way of several', async () => {
    const { clock, trips, offMs } = setting(150_000)
    trips.push(
      { thereMs: 4_000, backMs: 0 },
      { thereMs: 1, backMs: 1 },
      { thereMs: 0, backMs: 4_000 },
    )
    await clock.measure()
    assert.equal(offMs(), 0)
  })

  test('stays where it is when slow answers say nothing against it', async () => {
    const slow = Array.from({ length: clockLimits.samples }, () => ({ thereMs: 0, backMs: 4_000 }))
    const { clock, trips, offMs } = setting(150_000)
    await clock.measure()
    trips.push(...slow)
    await clock.measure()
    assert.equal(offMs(), 0)

    const first = setting(150_000)
    first.trips.push(...slow)
    await first.clock.measure()
    // It may have been looked at any time in those four seconds: the middle is wrong by two at most.
    assert.equal(Math.abs(first.offMs()), 2_000)
  })

  test('goes on while the database is away, and says so to whoever measures', async () => {
    const { clock, pass, goAway, now, offMs } = setting(150_000)
    await clock.measure()
    goAway()
    pass(86_400_000)
    now.machineMs -= 600_000
    await assert.rejects(clock.measure(), RetryableError)
    assert.deepEqual([offMs(), clock.isDue()], [0, true])
  })

  test('waits for a database that is a little behind, and goes back at once for one that is more', async () => {
    const { clock, now, pass, offMs } = setting()
    await clock.measure()
    const saidMs = clock.now()
    now.databaseMs -= clockLimits.holdMsMax
    await clock.measure()
    assert.equal(clock.now(), saidMs)
    pass(400)
    assert.equal(clock.now(), saidMs)
    pass(700)
    assert.deepEqual([clock.now(), offMs()], [saidMs + 100, 0])

    now.databaseMs -= clockLimits.holdMsMax + 1
    await clock.measure()
    assert.equal(offMs(), 0)
    now.databaseMs += 7_200_000
    await clock.measure()
    assert.equal(offMs(), 0)
  })

  test('says whole milliseconds', async () => {
    const { clock, now } = setting()
    now.monotonicMs += 0.4
    now.databaseMs += 0.7
    await clock.measure()
    assert.ok(Number.isInteger(clock.now()))
  })
})
