// Each account's values are sealed under its own key, made once, durable before it is used, and gone with the account.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { test } from 'node:test'
import { FatalError, RetryableError } from '../domain/errors.ts'
import { createSequencer } from './sequencer.ts'
import { leadLedger } from '../steps/append.ts'
import { callStep } from '../db/client.ts'
import { alice, bob, createWorld } from '../testing/world.ts'
import type { World } from '../testing/world.ts'
import { createAccountKeys, openAccountKeys } from './account-keys.ts'
import { createDataKey, generateDataKey } from './seal.ts'

async function accountId(world: World, did: string): Promise<number> {
  const [row] = await world.db<{ id: number }[]>`select id from account where did = ${did}`
  assert.ok(row)
  return row.id
}

async function seen(world: World, did: string): Promise<number> {
  await world.sight([{ did, bytes: 'clean', rkey: 'a' }])
  return accountId(world, did)
}

/** An intake row with one value about the account. */
async function note(world: World, account: number | null, idem: string): Promise<void> {
  await world.database.owner`
    select note_v1('test', '{"kind":"system"}', '{}', ${world.db.json({ who: 'value' })}, ${account}, null, null, ${idem}, now())`
}

test('the values of an account open with its own key only, those of nobody with the data key', async (t) => {
  const world = await createWorld(t)
  const [one, two] = [await seen(world, alice), await seen(world, bob)]
  for (const [account, idem] of [
    [one, 'a'],
    [two, 'b'],
    [null, 'c'],
  ] as const)
    await note(world, account, idem)
  await world.sequence()
  const { faults, commitments } = await world.ledger()
  assert.deepEqual([faults, commitments.erased], [[], 0])
  const rows = await world.db<{ seq: number; account: number | null; sealed: Buffer }[]>`
    select seq, account, sealed from ledger_private where field = 'who' order by seq`
  const keys = await openAccountKeys(world.db, world.dataKey, [one, two])
  for (const { seq, account, sealed } of rows) {
    for (const [holder, key] of keys) {
      const open = () => key.open(`${seq}:who`, sealed.subarray(1))
      if (holder === account) assert.equal(open().subarray(32).toString(), 'value')
      else assert.throws(open, FatalError)
    }
    if (account === null) assert.ok(world.dataKey.open(`${seq}:who`, sealed))
    else assert.throws(() => world.dataKey.open(`${seq}:who`, sealed), FatalError)
  }
  assert.equal(rows.length, 3)
})

test('a key is bound to its account: put beside another account it opens nothing', async (t) => {
  const world = await createWorld(t)
  const [one, two] = [await seen(world, alice), await seen(world, bob)]
  await note(world, one, 'a')
  await note(world, two, 'b')
  await world.sequence()
  await world.database.owner`
    update account_key k set sealed = o.sealed from account_key o where k.account = ${one} and o.account = ${two}`
  assert.deepEqual([...(await openAccountKeys(world.db, world.dataKey, [one, two])).keys()], [two])
  assert.ok((await world.ledger()).commitments.erased > 0, 'not opened, and not a wrong value')
})

test('values that were sealed before there were keys of accounts open, whatever byte they begin with', async (t) => {
  const world = await createWorld(t)
  const account = await seen(world, alice)
  await note(world, account, 'old')
  await world.sequence()
  const [row] = await world.db<{ seq: number; sealed: Buffer }[]>`
    select seq, sealed from ledger_private where account = ${account}`
  assert.ok(row)
  const key = (await openAccountKeys(world.db, world.dataKey, [account])).get(account)
  const plain = key?.open(`${row.seq}:who`, row.sealed.subarray(1)) ?? Buffer.alloc(0)
  // Two of each: a nonce that begins with the mark of today, and others.
  const olds = { marked: 0, others: 0 }
  while (olds.marked < 2 || olds.others < 2) {
    const hex = world.dataKey.seal(`${row.seq}:who`, plain)
    olds[hex.startsWith('01') ? 'marked' : 'others'] += 1
    if (!hex.startsWith('01') && olds.others > 2) continue
    await world.database
      .owner`update ledger_private set sealed = decode(${hex}, 'hex') where seq = ${row.seq}`
    const { faults, commitments } = await world.ledger()
    assert.deepEqual([faults, commitments.erased], [[], 0])
  }
  await world.database.owner`delete from account_key`
  assert.deepEqual((await world.ledger()).commitments.erased, 0, 'it needs no key of an account')
})

test('a value that somebody changed is found, with the key there', async (t) => {
  const world = await createWorld(t)
  const account = await seen(world, alice)
  await note(world, account, 'a')
  await world.sequence()
  await world.database.owner`
    update ledger_private set sealed = set_byte(sealed, 20, 255 - get_byte(sealed, 20)) where account = ${account}`
  assert.match((await world.ledger()).faults[0]?.problem ?? '', /is not the one committed to/)
})

test('two sequencers that make keys at the same moment use the same ones', async (t) => {
  const world = await createWorld(t)
  const accounts = [await seen(world, alice), await seen(world, bob)]
  const makers = [0, 1, 2, 3].map(() => createAccountKeys(world))
  const sealers = await Promise.all(
    makers.map((keys, n) => keys.sealFor(n % 2 === 0 ? accounts : accounts.toReversed())),
  )
  const stored = await openAccountKeys(world.db, world.dataKey, accounts)
  for (const sealFor of sealers)
    for (const account of accounts) {
      const sealed = Buffer.from(sealFor(account, 'x', Buffer.from('y')), 'hex').subarray(1)
      assert.equal(stored.get(account)?.open('x', sealed).toString(), 'y')
    }
  assert.equal((await world.db`select from account_key`).length, 2)
})

test('a batch of many accounts reads and makes its keys with three statements, and the next with none', async (t) => {
  const world = await createWorld(t)
  let statements = 0
  const db = new Proxy(world.db, {
    apply(target, self, args: unknown[]) {
      if (Array.isArray(args[0]) && 'raw' in args[0]) statements += 1
      return Reflect.apply(target, self, args) as unknown
    },
  })
  const keys = createAccountKeys({ db, dataKey: world.dataKey })
  const accounts = Array.from({ length: 500 }, (_, n) => 1_000 + n)
  await keys.sealFor(accounts)
  assert.equal(statements, 3)
  await keys.sealFor(accounts)
  assert.equal(statements, 3)
  // Another process finds them.
  await createAccountKeys({ db, dataKey: world.dataKey }).sealFor(accounts)
  assert.equal(statements, 4)
})

test('a key that moved to another key set while it was made is made again under that', async (t) => {
  const world = await createWorld(t)
  const setHex = generateDataKey()
  const dataKey = createDataKey('5a'.repeat(32), () => [setHex])
  const set = createDataKey(setHex).id
  const keys = createAccountKeys({ db: world.db, dataKey })
  const account = await seen(world, alice)
  const now = new Date(world.clock())
  const stale = { set: 'data-key', keys: [{ account, sealed: randomBytes(60).toString('hex') }] }
  await callStep(world.db, 'move_key_set_v1', { set, principal: world.principal, now })
  assert.deepEqual(await callStep(world.db, 'add_account_keys_v1', stale), [])
  await keys.sealFor([account])
  const [row] = await world.db<{ set: string }[]>`select key_set as set from account_key`
  assert.equal(row?.set, set)
  // A machine without that key set says so and appends nothing.
  await note(world, account, 'a')
  await assert.rejects(world.sequence(), /copy account-keys\.key/)
})

test('an erased account gets no key and no value, however late the sequencer comes', async (t) => {
  const world = await createWorld(t, { mode: 'observe' })
  const account = await seen(world, alice)
  await note(world, account, 'a')
  await world.sequence()
  // It looked at the account before the erasure, and has no key yet.
  const late = createAccountKeys(world)
  const erase = { account, basis: 'asked', now: new Date(world.clock()) }
  const [done] = await callStep<{ result: string }[]>(world.db, 'erase_account_v1', erase)
  assert.equal(done?.result, 'erased')
  await assert.rejects(late.sealFor([account]), RetryableError)
  await note(world, account, 'after')
  await world.sequence()
  assert.equal((await world.db`select from account_key`).length, 0)
  assert.equal((await world.db`select from ledger_private where account = ${account}`).length, 0)
  const { faults, documents } = await world.ledger()
  assert.deepEqual(faults, [])
  assert.deepEqual(documents.findLast((entry) => entry.type === 'test')?.com, {})
})

test('a writer that began before an erasure and ends after it is waited for', async (t) => {
  const world = await createWorld(t)
  const account = await seen(world, alice)
  const { owner } = world.database
  // One statement that holds its row for half a second.
  const writing = owner`
    with noted as materialized (
      select note_v1('test', '{"kind":"system"}', '{}', '{"who":"value"}', ${account}, null, null, 'slow', now())
    ) select pg_sleep(0.5), noted.* from noted`.execute()
  for (;;) {
    const [row] = await owner<{ n: number }[]>`
      select count(*)::int as n from pg_stat_activity where wait_event = 'PgSleep' and datname = current_database()`
    if ((row?.n ?? 0) > 0) break
  }
  const erase = { account, basis: 'asked', now: new Date(world.clock()) }
  const [first] = await callStep<{ result: string }[]>(world.db, 'erase_account_v1', erase)
  await writing
  assert.equal(first?.result, 'waiting')
  await world.sequence()
  const [second] = await callStep<{ result: string }[]>(world.db, 'erase_account_v1', erase)
  assert.equal(second?.result, 'erased')
  await world.sequence()
  assert.deepEqual((await world.ledger()).faults, [])
})

test('a sequencer that lost the lead after it made a key leaves a key that the next one uses', async (t) => {
  const world = await createWorld(t)
  const account = await seen(world, alice)
  await note(world, account, 'a')
  const { db, clock, dataKey, limits } = world
  const stale = await leadLedger(db, 'world/ledger')
  await leadLedger(db, 'world/ledger')
  const stop = new AbortController()
  const sequencer = createSequencer({ db, clock, dataKey, limits, wait: async () => stop.abort() })
  await assert.rejects(sequencer.run(stale, stop.signal), FatalError)
  const [before] = await db`select sealed from account_key where account = ${account}`
  assert.ok(before)
  await world.sequence()
  const [after] = await db`select sealed from account_key where account = ${account}`
  assert.deepEqual(after, before)
  assert.deepEqual((await world.ledger()).commitments.erased, 0)
})

for (const [point, keysLeft] of [
  ['account-keys:before', 0],
  ['account-keys:after', 1],
] as const) {
  test(`a process killed at ${point} leaves a whole key or none, and the next one uses it`, async (t) => {
    const world = await createWorld(t)
    const account = await seen(world, alice)
    await note(world, account, 'a')
    const from = (path: string) => JSON.stringify(new URL(path, import.meta.url).href)
    const code = `
      import { connect } from ${from('../db/client.ts')}
      import { armCrashPoint } from ${from('../telemetry/crash-point.ts')}
      import { createAccountKeys } from ${from('./account-keys.ts')}
      import { createDataKey } from ${from('./seal.ts')}
      const log = { debug() {}, info() {}, warn() {}, error() {} }
      const db = connect(${JSON.stringify(world.database.appAddress)}, { max: 1, applicationName: 'child', log })
      armCrashPoint('${point}', 1)
      await createAccountKeys({ db, dataKey: createDataKey('${'5a'.repeat(32)}') }).sealFor([${account}])`
    const child = spawn(process.execPath, ['--input-type=module', '-e', code], { stdio: 'ignore' })
    assert.deepEqual(await once(child, 'exit'), [null, 'SIGKILL'])
    const stored = () => world.db`select sealed from account_key`
    const left = await stored()
    assert.equal(left.length, keysLeft)
    await world.sequence()
    if (keysLeft === 1) assert.deepEqual(await stored(), left)
    const { faults, commitments } = await world.ledger()
    assert.deepEqual([faults, commitments.erased], [[], 0])
  })
}
