import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RetryableError } from '../domain/errors.ts'
import { createTelemetry } from '../telemetry/events.ts'
import { createLog } from '../telemetry/log.ts'
import { createMetrics } from '../telemetry/metrics.ts'
import { alice, createWorld } from '../testing/world.ts'
import { claimScanWork, scan } from './scan.ts'

test('a picture is not blamed for an index that cannot be searched: its job is freed, and settled when it can', async (t) => {
  const world = await createWorld(t)
  await world.sight([{ did: alice, bytes: 'one', rkey: 'a' }])
  const { pipeline, db, clock } = world
  const signal = new AbortController().signal
  const options = {
    ...pipeline,
    db,
    telemetry: createTelemetry({
      log: createLog({ level: 'silent', destination: { write: () => undefined } }),
      metrics: createMetrics({ clock }),
    }),
    onSettled: () => undefined,
  }
  const away = {
    ...options,
    matcher: {
      ...pipeline.matcher,
      match: async () => Promise.reject(new RetryableError('the bank index could not be searched')),
    },
  }
  for (let round = 0; round < 5; round += 1) {
    const [job] = await claimScanWork(away, 1)
    assert.equal(job?.crashes, 0)
    await scan(job, away, signal)
    assert.deepEqual(await claimScanWork(away, 1), [], 'not at once again')
    world.advance(5_000)
  }
  const [job] = await claimScanWork(options, 1)
  assert.ok(job !== undefined)
  await scan(job, options, signal)
  const [blob] = await db`select verdict from blob`
  assert.equal(blob?.['verdict'], 'clear')
})
