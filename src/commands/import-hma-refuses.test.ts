// What import hma does not take, and what it wants to be told twice.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { connect } from '../db/client.ts'
import { silentLog } from '../testing/database.ts'
import { hmaInTest, hmaSchema } from '../testing/hma-database.ts'
import { fillHma, md5Of } from './hma-in-test.ts'
import { contentsOf, importInTest } from './import-hma-in-test.ts'
import type { World } from './import-hma-in-test.ts'

describe('import hma refuses, and changes nothing', () => {
  const empty = async (world: World) => {
    assert.equal((await world.database.owner`select from bank where name <> 'PLAIN'`).length, 0)
    assert.equal((await world.database.owner`select from hma_import`).length, 0)
  }

  test('a number of ours that HMA gave too', async (t) => {
    const world = await importInTest(t)
    await fillHma(world.hma.db)
    await world.database.owner`select setval(pg_get_serial_sequence('bank_content', 'id'), 14)`
    await world.run(['bank', 'create', 'PLAIN'])
    await world.run(['bank', 'add', 'PLAIN', '--md5', md5Of(5000)])
    const { code, err } = await world.import()
    assert.equal(code, 2)
    assert.match(err, /content 15 is here already and did not come from HMA/)
    await empty(world)
  })

  test('and one that is millions behind the others', async (t) => {
    const world = await importInTest(t)
    await fillHma(world.hma.db)
    await world.hma
      .db`insert into bank_content (id, bank_id, disable_until_ts) values (3000015, 1, 1)`
    await world.database.owner`select setval(pg_get_serial_sequence('bank_content', 'id'), 3000014)`
    await world.run(['bank', 'create', 'OTHER'])
    await world.run(['bank', 'add', 'OTHER', '--md5', md5Of(5000)])
    const { code, err } = await world.import()
    assert.equal(code, 2)
    assert.match(err, /content 3000015 is here already and did not come from HMA/)
  })

  test('a bank of ours by the same name', async (t) => {
    const world = await importInTest(t)
    await fillHma(world.hma.db)
    await world.run(['bank', 'create', 'PLAIN'])
    const { code, err } = await world.import()
    assert.equal(code, 2)
    assert.match(err, /there is a bank 'PLAIN' here that did not come from HMA/)
    await empty(world)
  })

  test('a database that is not HMA’s, lacks a table, is not there, or does not let us in', async (t) => {
    const world = await importInTest(t)
    const without = await hmaInTest(world.database, t, {
      schema: hmaSchema.replace('create table signal_type_override', 'create table other'),
    })
    const admin = connect(world.database.superuserAddress, {
      max: 1,
      applicationName: 'test',
      log: silentLog,
    })
    t.after(() => admin.end({ timeout: 1 }))
    await admin.unsafe(
      `do $$ begin create role hma_nobody login; exception when duplicate_object then null; end $$`,
    )
    const gone = world.hma.url.replace(/hma_\d+_\w+/, 'hma_nowhere')
    for (const [address, sentence] of [
      [without.url, /this is not HMA’s database, .*it lacks signal_type_override/],
      [gone, /HMA’s Postgres has no database of this name/],
      [world.hma.urlAs('hma_nobody'), /this role may not read HMA’s tables: docs\/from-hma\.md/],
      ['postgres://u@127.0.0.1:1/x', /nothing answers at HMA’s address/],
      [`postgres://u:secret@nowhere.invalid/x`, /the host of HMA’s database is not known/],
      ['mysql://u@h/x', /the database address must look like/],
    ] as const) {
      const { code, err } = await world.run(['import', 'hma', address])
      assert.equal(code, 2, `${address}: ${err}`)
      assert.match(err, sentence)
      assert.ok(!err.includes('secret'))
    }
    await empty(world)
  })

  test('an HMA that was emptied, and another HMA, unless somebody says so', async (t) => {
    const world = await importInTest(t)
    await fillHma(world.hma.db)
    await world.import()
    await world.hma.db`delete from bank_content`
    const emptied = await world.import()
    assert.equal(emptied.code, 2)
    assert.match(emptied.err, /HMA has 0 contents and 18 came from it before.*--removals/)
    const other = await hmaInTest(world.database, t)
    await fillHma(other.db)
    const moved = await world.run(['import', 'hma', other.url])
    assert.equal(moved.code, 2)
    assert.match(moved.err, /the last import came from another database.*--moved/)
    assert.equal((await contentsOf(world)).filter(({ live }) => live).length, 18)
    assert.equal((await world.run(['import', 'hma', other.url, '--moved'])).code, 0)
    assert.equal((await contentsOf(world)).filter(({ live }) => live).length, 18)
    await other.db`delete from bank_content`
    assert.equal((await world.run(['import', 'hma', other.url, '--removals'])).code, 0)
    assert.equal((await contentsOf(world)).filter(({ live }) => live).length, 0)
  })

  test('a role that only reads is enough, and no warning is given', async (t) => {
    const world = await importInTest(t)
    await fillHma(world.hma.db)
    const admin = connect(world.database.superuserAddress, {
      max: 1,
      applicationName: 'test',
      log: silentLog,
    })
    t.after(() => admin.end({ timeout: 1 }))
    await admin.unsafe(
      `do $$ begin create role hma_reader login; exception when duplicate_object then null; end $$`,
    )
    await world.hma.db.unsafe(`grant select on all tables in schema public to hma_reader`)
    const { code, err } = await world.run(['import', 'hma', world.hma.urlAs('hma_reader')])
    assert.equal(code, 0, err)
    assert.doesNotMatch(err, /could write/)
  })
})
