// import hma as it is typed, against a real Postgres with HMA's tables: all that comes, all that does not, again and again.
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { describe, test } from 'node:test'
import { credentialContext } from '../banks/exchange-credentials.ts'
import { hmaInTest, hmaVersion } from '../testing/hma-database.ts'
import { alice, createWorld, digestOfBytes } from '../testing/world.ts'
import { fillHma, md5Of, pdqOf } from './hma-in-test.ts'
import { contentsOf, find, headOf, importInTest } from './import-hma-in-test.ts'
import type { World } from './import-hma-in-test.ts'
import { commandLine } from './run-in-test.ts'

describe('import hma', () => {
  test('brings banks, contents with their numbers, words and provenance, and says all that it leaves', async (t) => {
    const world = await importInTest(t)
    await fillHma(world.hma.db)
    const dry = await world.import('--dry-run')
    assert.equal(dry.code, 0, dry.err)
    assert.match(
      dry.out,
      new RegExp(`schema ${hmaVersion}\\) has 3 banks, 23 contents, 36 signals, 1 exchange`),
    )
    assert.match(dry.out, /Nothing was changed/)
    assert.equal((await contentsOf(world)).length, 0)
    assert.equal((await world.database.owner`select from bank`).length, 0)

    const { code, out, err } = await world.import()
    assert.equal(code, 0, err)
    const told = (text: string) => text.replace(/(?:Nothing was changed|Done\.).*/, '').trim()
    assert.equal(told(dry.out), told(out))
    for (const part of [
      /1 × content of a bank that stays behind/,
      /4 × content without a signal that we hold/,
      /2 × signal of type vpdq/,
      /1 × signal of type raw_text/,
      /1 × signal of type url/,
      /1 × pdq that is not hex of the right length/,
      /1 × pdq: one digit repeated/,
      /1 × video_md5: the digest of a file without a byte/,
      /1 × metadata too long/,
      /1 × text with a NUL or a lone surrogate/,
      /bank 4 stays behind/,
      /1 records of exchanges without a content stay behind/,
    ])
      assert.match(out, part)
    assert.match(err, /this role could write to HMA’s tables/)
    assert.ok(!(out + err).includes(pdqOf(10)) && !(out + err).includes('hunter2'))
    assert.equal(existsSync('/tmp/blobwatch-was-unpickled'), false)

    const rows = await contentsOf(world)
    assert.deepEqual(
      rows.map(({ id }) => id),
      [10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 30, 31, 100, 101, 105],
    )
    const byId = new Map(rows.map((row) => [row.id, row]))
    assert.deepEqual(byId.get(10)?.signals, [`md5 ${md5Of(10)}`, `pdq ${pdqOf(10)}`])
    assert.deepEqual(byId.get(20)?.signals, [`pdq ${pdqOf(10)}`])
    assert.deepEqual(
      { ...byId.get(21) },
      {
        id: 21,
        bank: 'HALF',
        ts: 0,
        note: 'ünïcödé 😀 "quoted"',
        live: true,
        signals: [`md5 ${md5Of(21)}`],
      },
    )
    assert.deepEqual(byId.get(22)?.signals, [`sha256 ${pdqOf(22)}`])
    assert.equal(byId.get(22)?.ts, 1_900_000_000)
    assert.deepEqual(byId.get(100)?.signals, [`pdq ${pdqOf(100)}`])
    const [words] = await world.database.owner`
      select (select metadata::text from bank_content where id = 100) as big, (select metadata->'json'->>'a' from bank_content where id = 101) as nul,
        (select provenance from bank_content where id = 30) as provenance, (select metadata from bank_content where id = 31) as none,
        (select provenance->>'originalUri' from bank_content where id = 22) as uri,
        (select created_at::text from bank_content where id = 10) as created`
    assert.match(String(words?.['big']), /12345678901234567890/)
    assert.equal(words?.['nul'], 'b\ufffdc')
    assert.deepEqual(words?.['provenance'], {
      hma: { record: 50, exchange: 'PARTNER', fetchId: '12-abc', summary: [{ tags: ['A1'] }] },
    })
    assert.equal(words?.['none'], null)
    assert.equal(words?.['uri'], 'https://example.test/a')
    assert.equal(words?.['created'], '2024-05-01 10:11:12.345678+00')
  })

  test('makes banks that observe, restricted, an exchange’s confidential, with HMA’s ratio; the exchange rests', async (t) => {
    const world = await importInTest(t)
    await fillHma(world.hma.db)
    await world.import()
    const banks = await world.database.owner`
      select name, mode, class, confidential, policy->'ratio' as ratio, exchange from bank order by name`
    assert.deepEqual(
      banks.map((row) => ({ ...row })),
      [
        {
          name: 'HALF',
          mode: 'observe',
          class: 'restricted',
          confidential: false,
          ratio: 0.5,
          exchange: null,
        },
        {
          name: 'PARTNER',
          mode: 'observe',
          class: 'restricted',
          confidential: true,
          ratio: 1,
          exchange: 'PARTNER',
        },
        {
          name: 'PLAIN',
          mode: 'observe',
          class: 'restricted',
          confidential: false,
          ratio: 1,
          exchange: null,
        },
      ],
    )
    const [exchange] = await world.database.owner`select * from exchange`
    assert.equal(exchange?.['enabled'], false)
    assert.deepEqual(exchange?.['config'], {
      name: 'PARTNER',
      api: 'ncmec',
      enabled: true,
      only_esp_ids: [1, 2],
    })
    assert.deepEqual(exchange?.['checkpoint'], { get_entries_max_ts: 1_700_000_000 })
    assert.equal((await world.database.owner`select from exchange_credentials`).length, 0)
    await world.import('--exchanges-on')
    assert.equal((await world.database.owner`select enabled from exchange`)[0]?.['enabled'], true)
  })

  test('brings credentials only when asked, and sealed', async (t) => {
    const world = await importInTest(t)
    await fillHma(world.hma.db)
    assert.equal((await world.import('--credentials')).code, 2, 'without a data key')
    const env = { BLOBWATCH_DATA_KEY: 'ab'.repeat(32) }
    const { code, err } = await world.run(['import', 'hma', world.hma.url, '--credentials'], {
      env,
    })
    assert.equal(code, 0, err)
    const [row] = await world.database.owner<
      { api: string; sealed: Buffer }[]
    >`select * from exchange_credentials`
    assert.equal(row?.api, 'ncmec')
    assert.ok(!row?.sealed.includes('hunter2'))
    const { createDataKey } = await import('../ledger/seal.ts')
    const plain = createDataKey('ab'.repeat(32)).open(
      credentialContext('ncmec'),
      row?.sealed ?? Buffer.alloc(0),
    )
    assert.deepEqual(JSON.parse(plain.toString()), { user: 'u', password: 'hunter2' })
  })

  test('the second time nothing changes; then exactly what changed in HMA does', async (t) => {
    const world = await importInTest(t)
    const { db } = world.hma
    await fillHma(db)
    await world.import()
    const before = [await contentsOf(world), await headOf(world)]
    const again = await world.import('--json')
    const result = again.json() as { banks: { unchanged: number; added: number }[] }
    assert.equal(
      result.banks.reduce((sum, one) => sum + one.unchanged, 0),
      18,
    )
    assert.deepEqual([await contentsOf(world), await headOf(world)], before)

    await db
      .unsafe(
        `
      update bank_content set disable_until_ts = 0 where id = 10;
      update bank_content set note = 'new note' where id = 11;
      update content_signal set signal_val = '${pdqOf(999)}' where content_id = 12 and signal_type = 'pdq';
      delete from bank_content where id = 105;
      insert into bank_content (id, bank_id, disable_until_ts) values (200, 2, 1);
      insert into content_signal values (200, 'pdq', '${pdqOf(200)}');
      update bank set enabled_ratio = 0.75 where id = 2;
      update bank set name = 'RENAMED' where id = 1;
    `,
      )
      .simple()
    const third = await world.import('--removals')
    assert.equal(third.code, 0, third.err)
    assert.equal((await find(world, 10))?.ts, 0)
    assert.equal((await find(world, 11))?.note, 'new note')
    assert.deepEqual((await find(world, 12))?.signals, [`md5 ${md5Of(12)}`, `pdq ${pdqOf(999)}`])
    assert.deepEqual(
      [(await find(world, 105))?.live, (await find(world, 105))?.signals],
      [false, []],
    )
    assert.deepEqual((await find(world, 200))?.signals, [`pdq ${pdqOf(200)}`])
    assert.equal((await find(world, 10))?.bank, 'RENAMED')
    const [half] = await world.database
      .owner`select policy->'ratio' as ratio from bank where name = 'HALF'`
    assert.equal(half?.['ratio'], 0.75)
    const [old] = await world.database.owner`
      select removed_generation > added_generation as later from bank_signal where content = 12 and state = 'removed'`
    assert.equal(old?.['later'], true)
  })

  test('what people did here stays, until HMA changes the same thing', async (t) => {
    const world = await importInTest(t)
    const { db } = world.hma
    await fillHma(db)
    await world.import()
    await world.run(['bank', 'disable', 'PLAIN', '10'])
    await world.run(['bank', 'remove', 'PLAIN', '11'])
    await db`update bank_content set note = 'x' where id = 10`
    const { out } = await world.import()
    assert.match(out, /1 content of HMA stay removed/)
    assert.deepEqual([(await find(world, 10))?.ts, (await find(world, 10))?.note], [0, 'x'])
    assert.equal((await find(world, 11))?.live, false)
    await db`update bank_content set disable_until_ts = 1900000000 where id = 10`
    await world.import()
    assert.equal((await find(world, 10))?.ts, 1_900_000_000)
  })

  test('a content that comes back in HMA comes back here', async (t) => {
    const world = await importInTest(t)
    const { db } = world.hma
    await fillHma(db)
    await world.import()
    await db`delete from bank_content where id = 19`
    await world.import('--removals')
    assert.equal((await find(world, 19))?.live, false)
    await db`insert into bank_content (id, bank_id, disable_until_ts) values (19, 1, 1)`
    await db`insert into content_signal values (19, 'video_md5', ${md5Of(19)})`
    await world.import()
    assert.deepEqual(
      [(await find(world, 19))?.live, (await find(world, 19))?.signals],
      [true, [`md5 ${md5Of(19)}`]],
    )
  })

  test('every change is in the ledger with who asked, counts by bank, and no value', async (t) => {
    const world = await importInTest(t)
    await fillHma(world.hma.db)
    await world.import()
    const notes = await world.database.owner<
      {
        type: string
        actor: { kind: string }
        pub: { left: Record<string, number>; banks: object[] }
      }[]
    >`
      select type, actor, pub from ledger_intake order by id`
    assert.deepEqual(
      notes.slice(1).map(({ type }) => type),
      [
        'bank.create',
        'bank.create',
        'bank.create',
        'hma.started',
        'import.batch',
        'import.batch',
        'import.batch',
        'hma.done',
      ],
    )
    assert.ok(notes.slice(1).every(({ actor }) => actor.kind === 'person'))
    const done = notes.at(-1)?.pub
    assert.deepEqual(done?.banks[0], {
      bank: 'b1',
      added: 13,
      changed: 0,
      removed: 0,
      unchanged: 0,
    })
    assert.equal(done?.left['signal of type vpdq'], 2)
    assert.ok(!JSON.stringify(notes).includes(pdqOf(10)))
  })

  test('looks back once, about the banks that do more than observe, or all when asked', async (t) => {
    const jobs = ({ database }: World) =>
      database.owner`select detail from job where kind = 'rematch'`
    const world = await importInTest(t)
    await fillHma(world.hma.db)
    await world.import()
    assert.equal((await jobs(world)).length, 0)
    const other = await importInTest(t)
    await fillHma(other.hma.db)
    await other.import('--mode', 'hold')
    assert.deepEqual(
      (await jobs(other)).map((row) => row['detail']),
      [{ banks: [1, 2, 3] }],
    )
    const asked = await importInTest(t)
    await fillHma(asked.hma.db)
    await asked.import('--look-back')
    assert.equal((await jobs(asked)).length, 1)
  })

  test('new contents of ours get numbers behind those that HMA may still give', async (t) => {
    const world = await importInTest(t)
    await fillHma(world.hma.db)
    await world.import()
    await world.run(['bank', 'create', 'OWN', '--class', 'open'])
    await world.run(['bank', 'add', 'OWN', '--md5', md5Of(5000)])
    const last = (await contentsOf(world)).at(-1)
    assert.ok(last?.bank === 'OWN' && last.id > 1_000_000)
    // HMA goes on adding meanwhile.
    await world.hma.db`insert into bank_content (id, bank_id, disable_until_ts) values (300, 1, 1)`
    await world.hma.db`insert into content_signal values (300, 'pdq', ${pdqOf(300)})`
    assert.equal((await world.import()).code, 0)
    assert.equal((await find(world, 300))?.live, true)
    assert.equal((await find(world, last.id))?.live, true)
  })
})

test('a running index takes it up: what was seen before is found again, what comes is matched, what went is not', async (t) => {
  const world = await createWorld(t)
  const run = await commandLine(world.database)
  const { db, url } = await hmaInTest(world.database, t)
  await world.sight([{ did: alice, bytes: 'before', rkey: 'a' }])
  await world.settle()
  await db`insert into bank (id, name, enabled_ratio) values (1, 'KNOWN', 1)`
  await db`insert into bank_content (id, bank_id, disable_until_ts) values (10, 1, 1), (11, 1, 1), (12, 1, 0)`
  for (const [id, bytes] of [
    [10, 'before'],
    [11, 'after'],
    [12, 'disabled'],
  ] as const)
    await db`insert into content_signal values (${id}, 'video_sha256', ${digestOfBytes(bytes)})`
  const { code, err } = await run(['import', 'hma', url, '--mode', 'hold'])
  assert.equal(code, 0, err)
  world.advance(Math.max(0, Date.now() - world.clock()) + 1000)
  await world.refreshBanks()
  await world.sight([
    { did: alice, bytes: 'after', rkey: 'b' },
    { did: alice, bytes: 'disabled', rkey: 'c' },
  ])
  await world.settle()
  const matches = await world.database.owner`select content from match order by content`
  assert.deepEqual(
    matches.map((row) => row['content']),
    [10, 11],
  )
  const cases = await world.database.owner`select from case_file where state = 'open'`
  assert.equal(cases.length, 2)

  await db`delete from bank_content where id = 11`
  await db`update bank_content set disable_until_ts = 1 where id = 12`
  assert.equal((await run(['import', 'hma', url, '--removals'])).code, 0)
  await world.refreshBanks()
  const contentsOf = async (bytes: string) =>
    (await world.matcher.match({ sha256: digestOfBytes(bytes) })).matches.map(
      ({ contentId }) => contentId,
    )
  assert.deepEqual(await contentsOf('before'), [10])
  assert.deepEqual(await contentsOf('after'), [])
  assert.deepEqual(await contentsOf('disabled'), [12])
})
