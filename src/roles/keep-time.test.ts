import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { DatabaseClock } from '../db/clock.ts'
import { createTelemetry } from '../telemetry/events.ts'
import { createLog } from '../telemetry/log.ts'
import { createMetrics } from '../telemetry/metrics.ts'
import { keepTime, timeLimits } from './keep-time.ts'

/** `looks`: what is set before each look. Gives the lines of the log and how often it was measured. */
async function keep(
  looks: { aheadMs?: number; isDue?: boolean; isAway?: boolean }[],
): Promise<{ lines: Record<string, unknown>[]; measured: number; page: string }> {
  const lines: Record<string, unknown>[] = []
  const destination = {
    write: (line: string) => void lines.push(JSON.parse(line) as Record<string, unknown>),
  }
  const log = createLog({ level: 'info', destination })
  const metrics = createMetrics({ clock: () => 0 })
  const stop = new AbortController()
  let measured = 0
  let look = looks[0]
  let looked = 0
  const clock: DatabaseClock = {
    now: () => 0,
    measure() {
      measured += 1
      return look?.isAway === true ? Promise.reject(new Error('away')) : Promise.resolve()
    },
    isDue: () => look?.isDue === true,
    aheadMs: () => look?.aheadMs ?? 0,
  }
  const wait = (ms: number) => {
    assert.equal(ms, timeLimits.lookMs)
    looked += 1
    look = looks[looked]
    if (look === undefined) stop.abort()
    return Promise.resolve()
  }
  await keepTime({ clock, telemetry: createTelemetry({ log, metrics }), wait }, stop.signal)
  return { lines, measured, page: (await metrics.page()).body }
}

test('measures when it is due and not before', async () => {
  const { measured, lines } = await keep([{}, { isDue: true }, {}, { isDue: true }, {}])
  assert.deepEqual([measured, lines], [2, []])
})

test('tells once that the two clocks are apart, with how far, and once that they are not any more', async () => {
  const apart = timeLimits.aheadToldMs + 1
  const looks = [0, apart, apart, -apart, 5, 5].map((aheadMs) => ({ aheadMs }))
  const { lines, page } = await keep(looks)
  assert.deepEqual(
    lines.map(({ msg, ms }) => [msg, ms]),
    [
      ["this machine's clock is not the database's, which counts", apart],
      ["this machine's clock is the database's again", 5],
    ],
  )
  assert.match(page, /^blobwatch_clock_ahead_seconds 0\.005$/m)
})

test('asks a database that is away at each look, and tells of it every ten seconds', async () => {
  const away = { isDue: true, isAway: true }
  const { lines, measured } = await keep([
    ...Array.from({ length: 20 }, () => away),
    { isDue: true },
    away,
  ])
  assert.equal(measured, 22)
  assert.deepEqual(
    lines.map(({ outcome, kind }) => [outcome, kind]),
    Array.from({ length: 3 }, () => ['failed', 'settle']),
  )
})
