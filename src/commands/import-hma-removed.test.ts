// What HMA's interface changed here meanwhile: a bank that was removed stays removed, and one that was renamed is the same.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { addContent, bankOfHistory, listBanks, setBank } from '../banks/bank-store.ts'
import { banksForHma } from '../banks/hma-export.ts'
import { callStep } from '../db/client.ts'
import { UsageError } from '../domain/errors.ts'
import { secretNames } from '../reports/dsa-actions.ts'
import { principalId } from '../steps/withdraw.ts'
import { testDatabase } from '../testing/database.ts'
import { hmaInTest } from '../testing/hma-database.ts'
import { fillHma, md5Of, pdqOf } from './hma-in-test.ts'
import { commandLine } from './run-in-test.ts'

async function setUp(t: TestContext) {
  const database = await testDatabase(t)
  const hma = await hmaInTest(database, t)
  const run = await commandLine(database)
  await fillHma(hma.db)
  const { app: db, owner } = database
  const who = { kind: 'service', name: 'hma', nowMs: Date.now() } as const
  const author = { principal: await principalId(db, who), now: new Date() }
  return {
    ...{ db, owner, author },
    hma: hma.db,
    run,
    import: () => run(['import', 'hma', hma.url]),
    change: (change: object) => callStep(db, 'change_hma_v1', { ...author, ...change }),
  }
}

const removal = { op: 'bank.remove', contentsMax: 1000 }
const live = (owner: Awaited<ReturnType<typeof setUp>>['owner'], bank: number) =>
  owner<{ id: number }[]>`
    select c.id from bank_content c where c.bank = ${bank} and (c.removed_at is null or exists (
      select from bank_signal s where s.content = c.id and s.state = 'live'))`

test('a bank that was removed here stays removed, whatever HMA still brings into it', async (t) => {
  const world = await setUp(t)
  assert.equal((await world.import()).code, 0)
  await world.change({ ...removal, name: 'PLAIN' })
  await world.change({ ...removal, name: 'PARTNER' })
  await world.hma
    .unsafe(
      `insert into bank_content (id, bank_id, disable_until_ts) values (201, 1, 1), (202, 3, 1);
       insert into content_signal values (201, 'pdq', '${pdqOf(201)}'), (202, 'video_md5', '${md5Of(202)}');
       update content_signal set signal_val = '${pdqOf(999)}' where content_id = 12 and signal_type = 'pdq';`,
    )
    .simple()
  const again = await world.import()
  assert.equal(again.code, 0, again.err)
  assert.match(again.out, /bank 1 stays behind: somebody removed it here/)
  assert.match(again.out, /exchange 7 stays behind/)
  assert.deepEqual([...(await live(world.owner, 1)), ...(await live(world.owner, 3))], [])
  assert.deepEqual([...(await world.owner`select name from exchange`)], [])
  assert.deepEqual(
    (await listBanks(world.db)).map(({ name }) => name),
    ['HALF'],
  )
})

test('a removed bank is not found, changed, filled or exported under any name', async (t) => {
  const world = await setUp(t)
  await world.import()
  await world.change({ ...removal, name: 'PLAIN' })
  const [row] = await world.owner<{ name: string }[]>`select name from bank where id = 1`
  const name = row?.name ?? ''
  assert.match(name, /^PLAIN \(removed 1\)$/)
  const nowMs = Date.now()
  const { principal } = world.author
  const signals = [{ type: 'md5' as const, value: md5Of(1) }]
  await assert.rejects(setBank(world.db, { name, mode: 'act', principal, nowMs }), UsageError)
  await assert.rejects(addContent(world.db, { bank: name, signals, principal, nowMs }), UsageError)
  await assert.rejects(
    world.owner`insert into bank_content (bank, created_at) values (1, now())`,
    /removed/,
  )
  await assert.rejects(
    world.owner`update bank_content set removed_at = null where id = 10`,
    /removed/,
  )
  await assert.rejects(world.owner`update bank set mode = 'act' where id = 1`, /not found/)
  assert.ok(!(await banksForHma(world.db)).some(({ id }) => id === 1))
  assert.notEqual((await world.run(['bank', 'show', name])).code, 0)
  assert.ok((await secretNames(world.db)).includes('PLAIN'), 'nothing published names it')
  // What it did can still be looked up and taken back.
  for (const known of [name, 'b1']) assert.equal((await bankOfHistory(world.db, known)).id, 1)
  assert.equal((await world.run(['explain', '--content', '10'])).code, 0)
})

test('an exchange that was renamed here with its bank is the same at the next import', async (t) => {
  const world = await setUp(t)
  await world.import()
  await world.change({ op: 'bank.edit', name: 'PARTNER', to: 'PARTNER_NEW' })
  const again = await world.import()
  assert.equal(again.code, 0, again.err)
  assert.deepEqual(
    [...(await world.owner`select name, exchange from bank where id = 3`)],
    [{ name: 'PARTNER_NEW', exchange: 'PARTNER_NEW' }],
  )
  assert.deepEqual(
    [...(await world.owner`select name, bank from exchange`)],
    [{ name: 'PARTNER_NEW', bank: 3 }],
  )
})
