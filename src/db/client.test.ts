import assert from 'node:assert/strict'
import { readFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { FatalError, PermanentError, RetryableError, UsageError } from '../domain/errors.ts'
import { silentLog, testDatabase } from '../testing/database.ts'
import { describeAddress, parseAddress } from './address.ts'
import { ask, callStep, connect, reconnectAfterS } from './client.ts'
import { DatabaseFault, databaseError, sqlState } from './failure.ts'
import { openSession } from './session.ts'

const database = await testDatabase()
const { owner } = database
const admin = connect(database.superuserAddress, {
  max: 1,
  applicationName: 'test',
  log: silentLog,
})

before(async () => {
  await owner.unsafe(`
    create table thing (name text primary key);
    create function value_step(p jsonb) returns jsonb language sql as 'select p';
    create function table_step(p jsonb) returns table (a int, b bigint) language sql as 'values (1, 2::bigint), (3, 4)';
    create function slow_step(p jsonb) returns void language sql as 'select pg_sleep(20)';
    create function failing_step(p jsonb) returns void language plpgsql as $$
      begin raise exception 'it is %', p->>'say' using errcode = p->>'code'; end $$;
    create function half_step(p jsonb) returns void language plpgsql as $$
      begin insert into thing values ('half'); perform pg_sleep(20); end $$`)
})

test('hands an int8 over as a number, and refuses one that a number cannot hold', async () => {
  const [row] = await owner`select 9007199254740991::int8 as most, array[1, 2]::int8[] as list`
  assert.deepEqual(row, { most: 9007199254740991, list: [1, 2] })
  await assert.rejects(async () => await owner`select 9007199254740993::int8`, RangeError)
  assert.equal((await owner`select 1 as one`)[0]?.['one'], 1, 'the connection is still good')
})

test('calls a step with a payload and gives back its value or its rows', async () => {
  const payload = { list: [1, 'two', null], text: `it's "quoted" \\ ü` }
  assert.deepEqual(await callStep(owner, 'value_step', payload), payload)
  assert.deepEqual(await callStep(owner, 'table_step', {}), [
    { a: 1, b: 2 },
    { a: 3, b: 4 },
  ])
  await assert.rejects(callStep(owner, 'value_step(1); drop table thing; --', {}), TypeError)
})

test('sorts what a step raises: our own faults are fatal, contention is worth another try', async () => {
  const raise = (code: string) => callStep(owner, 'failing_step', { say: 'so', code })
  await assert.rejects(raise('BW001'), isKind(FatalError, /step failing_step: it is so \(BW001\)/))
  await assert.rejects(raise('BU001'), isKind(UsageError, /^it is so$/))
  for (const code of ['40001', '40P01', '55P03', '57014', '57P01', '08006', '53300'])
    await assert.rejects(raise(code), isKind(RetryableError, new RegExp(code)))
  await assert.rejects(raise('53100'), isKind(RetryableError, /the disk of the database is full/))
  await assert.rejects(raise('22P05'), isKind(PermanentError, /22P05/))
  await assert.rejects(
    raise('P0001'),
    (error) => error instanceof Error && sqlState(error) === 'P0001',
  )
})

test('keeps values out of errors', async () => {
  await owner`insert into thing values ('secret-value')`
  const again = ask('add a thing', owner`insert into thing values ('secret-value')`)
  const bad = ask('read a number', owner`select ${'secret-value'}::text::int`)
  for (const failing of [again, bad])
    await assert.rejects(failing, (error: Error) => {
      assert.doesNotMatch(JSON.stringify(error, Object.getOwnPropertyNames(error)), /secret/)
      const { cause } = error
      assert.ok(cause instanceof DatabaseFault)
      assert.doesNotMatch(JSON.stringify(cause, Object.getOwnPropertyNames(cause)), /secret/)
      return true
    })
})

test('a step is all or nothing when its connection is killed half way', async () => {
  const half = callStep(owner, 'half_step', {})
  const rejected = assert.rejects(half, isKind(RetryableError, /57P01|CONNECTION_CLOSED/))
  await killWhoRuns('half_step')
  await rejected
  assert.equal((await owner`select from thing where name = 'half'`).length, 0)
})

test('a statement ends at its time limit', async () => {
  const limits = { max: 1, applicationName: 'test', log: silentLog, statementTimeoutMs: 100 }
  const hasty = connect(database.ownerAddress, limits)
  await assert.rejects(callStep(hasty, 'slow_step', {}), isKind(RetryableError, /57014/))
  await hasty.end()
})

test('no statement is waited for for ever, whoever asks: a server that is stopped says nothing', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const never = ask('read', new Promise<never>(() => {}))
  const rejected = assert.rejects(never, isKind(RetryableError, /read: no answer within 40000 ms/))
  t.mock.timers.tick(40_000)
  await rejected
})

test('a slow statement does not hold up others while connections are free', async () => {
  const db = connect(database.ownerAddress, { max: 2, applicationName: 'test', log: silentLog })
  const slow = ask('sleep', db`select pg_sleep(1.5)`)
  const startMs = performance.now()
  for (let i = 0; i < 20; i++) await db`select 1`
  await Promise.all(Array.from({ length: 20 }, () => callStep(db, 'value_step', {})))
  assert.ok(performance.now() - startMs < 1000)
  await slow
  await db.end()
})

test('a session is over for good when its connection is', async () => {
  await using session = await openSession(database.ownerAddress, {
    applicationName: 'test session',
    log: silentLog,
  })
  await session.sql`select pg_advisory_lock(1)`
  const lost = new Promise((resolve) => session.lost.addEventListener('abort', resolve))
  await admin`select pg_terminate_backend(${session.backendPid})`
  await lost
  assert.throws(() => session.sql`select 1`, RetryableError)
  assert.throws(() => session.sql.unsafe('select 1'), RetryableError)
})

test('a server that is back is noticed within two seconds, however long it was away', async () => {
  const db = connect(database.ownerAddress, { max: 1, applicationName: 'test', log: silentLog })
  assert.equal(db.options.backoff, reconnectAfterS)
  for (let tries = 0; tries < 100; tries += 1) {
    const seconds = reconnectAfterS(tries)
    assert.ok(seconds > 0 && seconds <= 2, `${seconds} after ${tries}`)
  }
  await db.end()
})

test('a server that is not there is a RetryableError', async () => {
  const address = { ...database.ownerAddress, host: '/nonexistent' }
  const db = connect(address, { max: 1, applicationName: 'test', log: silentLog })
  await assert.rejects(ask('read', db`select 1`), isKind(RetryableError, /ENOENT/))
  const session = openSession(address, { applicationName: 'test', log: silentLog })
  await assert.rejects(session, isKind(RetryableError, /ENOENT/))
  await db.end()
})

test('reads addresses, also of a socket, and never shows a password', () => {
  const url = 'postgres://me:secret@db.example:5433/blobs?sslmode=require'
  assert.deepEqual(parseAddress(url), { url })
  assert.equal(describeAddress({ url }), 'postgres://me@db.example:5433/blobs')
  const socket = { host: '/run/pg', port: 5432, database: 'blobs', username: 'me' }
  assert.deepEqual(parseAddress(describeAddress(socket)), socket)
  assert.throws(() => parseAddress('db.example/blobs'), UsageError)
})

test('other errors pass unchanged through the sorting', () => {
  const error = new TypeError('ours')
  assert.equal(databaseError('do', error), error)
})

test('nothing in src uses begin() or reserve() of the driver', async () => {
  assert.throws(() => (owner.begin as () => void)(), /not used here/)
  const src = fileURLToPath(new URL('..', import.meta.url))
  const found: string[] = []
  for (const name of await readdir(src, { recursive: true })) {
    if (!name.endsWith('.ts') || name === 'db/client.test.ts') continue
    const text = withoutComments(await readFile(join(src, name), 'utf8'))
    if (/\.(begin|reserve|savepoint)\s*[(<`]/.test(text)) found.push(name)
  }
  assert.deepEqual(
    found,
    [],
    'after a lost connection `postgres` runs the rest of a transaction outside it, and commits that ' +
      '(porsager/postgres #1208): make it one statement or one plpgsql function, see db/client.ts',
  )
})

test('closes what the file opened', async () => {
  await admin.end({ timeout: 1 })
})

async function killWhoRuns(text: string): Promise<void> {
  for (;;) {
    const killed = await admin`
      select pg_terminate_backend(pid) from pg_stat_activity
      where query like ${`%${text}%`} and state = 'active' and pid <> pg_backend_pid()`
    if (killed.length > 0) return
  }
}

function isKind(kind: new (message: string) => Error, message: RegExp) {
  return (error: Error) => {
    assert.equal(error.constructor, kind)
    assert.match(error.message, message)
    return true
  }
}

function withoutComments(text: string): string {
  return text.replaceAll(/\/\*[\s\S]*?\*\//g, '').replaceAll(/(^|\s)\/\/.*$/gm, '')
}
