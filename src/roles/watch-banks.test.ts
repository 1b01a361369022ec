import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bankBookLimits } from '../banks/bank-book.ts'
import type { BankBookStatus } from '../banks/bank-book.ts'
import { RetryableError } from '../domain/errors.ts'
import { failureToldMs, watchBanks } from './watch-banks.ts'

const index = {
  layout: 'memory' as const,
  signals: { sha256: 0, md5: 0, sha1: 0, pdq: 0, clip: 0 },
  others: {},
  bytes: 0,
  pending: 0,
  rebuilding: false,
  rebuilds: 0,
}

test('looks at the banks five times a second, and tells when the index has moved on', async () => {
  const { run, waits, told } = watcher([{ generation: 4 }, { generation: 4 }, { generation: 5 }])
  await run()
  assert.deepEqual(waits, [200, 200, 200])
  assert.equal(bankBookLimits.pollMs, 200)
  assert.deepEqual(told, ['changed', 'changed'])
})

test('measures how far the index is behind the database', async () => {
  const { run, lags } = watcher([
    { generation: 4, head: 9 },
    { generation: 9, head: 9 },
  ])
  await run()
  assert.deepEqual(lags, [5, 0])
})

test('goes on while looks fail, and tells it once in ten seconds', async () => {
  const looks = Array.from({ length: 60 }, () => ({ fails: true }))
  const { run, told, waits } = watcher([...looks, { generation: 1 }, { fails: true }])
  await run()
  assert.equal(waits.length, 62)
  assert.deepEqual(told, ['failed', 'failed', 'changed', 'failed'])
  assert.equal(failureToldMs, 10_000)
})

type Seen = { generation?: number; head?: number; fails?: boolean }

/** A book that answers this at each look; every wait lasts what was asked for. */
function watcher(looks: Seen[]) {
  const told: string[] = []
  const waits: number[] = []
  const lags: number[] = []
  const stop = new AbortController()
  let nowMs = 0
  const status: BankBookStatus = {
    loading: false,
    lookedAtMs: 0,
    generation: 0,
    head: 0,
    behindSinceMs: undefined,
    index,
  }
  const left = [...looks]
  const run = () =>
    watchBanks(
      {
        book: {
          status: () => status,
          async refresh() {
            const look = left.shift()
            if (look?.fails === true) throw new RetryableError('away')
            Object.assign(status, look)
          },
        },
        telemetry: {
          failed: () => told.push('failed'),
          indexMeasured: ({ lag }) => lags.push(lag),
        },
        clock: () => nowMs,
        onChanged: () => told.push('changed'),
        wait: async (ms) => {
          waits.push(ms)
          nowMs += ms
          if (left.length === 0) stop.abort()
        },
      },
      stop.signal,
    )
  return { run, told, waits, lags }
}
