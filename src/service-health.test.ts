import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { BankBookStatus } from './banks/bank-book.ts'
import { indexCheck, indexLimits, ledgerCheck } from './service-health.ts'

const nowMs = 1_700_000_000_000
const fresh: BankBookStatus = {
  loading: false,
  lookedAtMs: nowMs - 300,
  generation: 7,
  head: 7,
  behindSinceMs: undefined,
  index: {
    layout: 'memory',
    signals: { sha256: 1, md5: 0, sha1: 0, pdq: 0, clip: 0 },
    others: {},
    bytes: 100,
    pending: 0,
    rebuilding: false,
    rebuilds: 0,
  },
}

test('the index is ready while it is looked after and no change is missing for long', () => {
  assert.deepEqual(indexCheck(fresh, nowMs), { ok: true })
  const justNow = { head: 9, behindSinceMs: nowMs - indexLimits.behindMs + 1 }
  assert.deepEqual(indexCheck({ ...fresh, ...justNow }, nowMs), { ok: true })
})

test('the index is not ready while everything is read, and says why', () => {
  const first = { ...fresh, loading: true, index: undefined, lookedAtMs: 0 }
  assert.deepEqual(indexCheck(first, nowMs), {
    ok: false,
    note: 'the bank signals are being read for the first time',
  })
  assert.match(indexCheck({ ...fresh, loading: true }, nowMs).note ?? '', /database was restored/)
})

test('the index is not ready when the database was not reached for ten seconds', () => {
  const lookedAtMs = nowMs - indexLimits.staleMs
  assert.deepEqual(indexCheck({ ...fresh, lookedAtMs }, nowMs), {
    ok: false,
    note: 'the banks were last looked at 10 s ago',
  })
})

test('the index is not ready when changes are missing for five seconds, and says how many', () => {
  const behind = { ...fresh, head: 12, behindSinceMs: nowMs - 6_000 }
  assert.equal(indexCheck(behind, nowMs).note, '5 bank changes are not in the index after 6 s')
  const index = { ...fresh.index!, pending: 40 }
  assert.equal(
    indexCheck({ ...behind, index }, nowMs).note,
    '5 bank changes are not in the index after 6 s; 40 signals wait for a rebuild',
  )
})

test('a ledger that stopped is not ready and says why, until another process may have taken it over', () => {
  const fault = { reason: 'the signer is away', untilMs: nowMs + 1 }
  assert.deepEqual(ledgerCheck(fault, nowMs), {
    ok: false,
    note: 'the ledger stopped: the signer is away',
  })
  assert.deepEqual(ledgerCheck(fault, nowMs + 1), { ok: true })
  assert.deepEqual(ledgerCheck(undefined, nowMs), { ok: true })
})
