import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FatalError } from '../domain/errors.ts'
import { testDatabase } from '../testing/database.ts'
import { dropPartitions, ensurePartitions, ensureSeqPartitions, periodStart } from './partitions.ts'

const { owner: db } = await testDatabase()
const nowMs = Date.parse('2026-11-21T23:30:00Z')

test('makes the partition of today and those ahead, once', async () => {
  await db`create table seen (at timestamptz not null, a int) partition by range (at)`
  const options = { db, table: 'seen', every: 'day', ahead: 3, nowMs } as const
  const made = ['seen_20261121', 'seen_20261122', 'seen_20261123', 'seen_20261124']
  const both = await Promise.all([ensurePartitions(options), ensurePartitions(options)])
  assert.deepEqual(both[0].toSorted(), made)
  assert.deepEqual(await ensurePartitions(options), [])
  await db`insert into seen values ('2026-11-21T00:00:00Z', 1), ('2026-11-24T23:59:59Z', 2)`
  await assert.rejects(async () => await db`insert into seen values ('2026-11-25T00:00:00Z', 3)`)
  assert.deepEqual(await ensurePartitions({ ...options, nowMs: nowMs + 3_600_000 }), [
    'seen_20261125',
  ])
})

test('drops only partitions that are wholly older than what is kept', async () => {
  const drop = (keepDays: number, days: number) =>
    dropPartitions({ db, table: 'seen', keepDays, nowMs: nowMs + days * 86_400_000 })
  assert.deepEqual(await drop(1, 0), [])
  assert.deepEqual(await drop(1, 1), [])
  assert.deepEqual(await drop(1, 2), ['seen_20261121'])
  assert.deepEqual(await drop(0, 3), ['seen_20261122', 'seen_20261123'])
  assert.equal((await db`select * from seen`).length, 1)
})

test('makes and drops weeks by milliseconds', async () => {
  await db`create table weekly (at bigint not null) partition by range (at)`
  const made = await ensurePartitions({ db, table: 'weekly', every: 'week', ahead: 1, nowMs })
  assert.deepEqual(made, ['weekly_20261116', 'weekly_20261123'])
  await db`insert into weekly values (${nowMs})`
  const later = { db, table: 'weekly', keepDays: 30 }
  assert.deepEqual(await dropPartitions({ ...later, nowMs: nowMs + 31 * 86_400_000 }), [])
  assert.deepEqual(await dropPartitions({ ...later, nowMs: nowMs + 32 * 86_400_000 }), [
    'weekly_20261116',
  ])
  assert.equal(new Date(periodStart(nowMs, 'week')).getUTCDay(), 1)
})

test('makes partitions of a sequence ahead of its head', async () => {
  await db`create table entry (seq bigint primary key) partition by range (seq)`
  const options = { db, table: 'entry', width: 100, ahead: 1, nextSeq: 0 }
  assert.deepEqual(await ensureSeqPartitions(options), ['entry_0', 'entry_100'])
  assert.deepEqual(await ensureSeqPartitions({ ...options, nextSeq: 99 }), [])
  assert.deepEqual(await ensureSeqPartitions({ ...options, nextSeq: 100 }), ['entry_200'])
})

test('refuses a table that has no range to divide', async () => {
  await db`create table plain (a int)`
  await assert.rejects(
    ensurePartitions({ db, table: 'plain', every: 'day', ahead: 1, nowMs }),
    FatalError,
  )
  await assert.rejects(dropPartitions({ db, table: 'nowhere', keepDays: 1, nowMs }), FatalError)
})
