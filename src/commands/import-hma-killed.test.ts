// An import from HMA that is killed wherever it persists something, cut off, or started twice.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { connect } from '../db/client.ts'
import { silentLog } from '../testing/database.ts'
import type { HmaInTest } from '../testing/hma-database.ts'
import { fillHma } from './hma-in-test.ts'
import { importInTest } from './import-hma-in-test.ts'
import type { World } from './import-hma-in-test.ts'

describe('an import from HMA that is killed', () => {
  for (const point of ['import-hma:before:2', 'import-hma:after:1', 'import-hma:after:2']) {
    test(`at ${point} goes on where it was: nothing lost, nothing twice`, async (t) => {
      const world = await importInTest(t)
      await many(world.hma, 12_000)
      assert.equal(await start(world, point), 'SIGKILL')
      const { code, out, err } = await world.import()
      assert.equal(code, 0, err)
      assert.match(out, /An import that was stopped went on after content/)
      const [row] = await world.database.owner`
        select count(*) as contents, (select count(*) from bank_signal) as signals,
          (select sum((pub->>'added')::integer) from ledger_intake where type = 'import.batch')::integer as noted from bank_content`
      assert.deepEqual({ ...row }, { contents: 12_000, signals: 24_000, noted: 12_000 })
    })
  }

  test('and whose HMA was emptied since still asks before it removes what came before', async (t) => {
    const world = await importInTest(t)
    await many(world.hma, 3_000)
    await world.import()
    await world.hma.db`update bank_content set note = 'other' where id = 1`
    assert.equal(await start(world, 'import-hma:before'), 'SIGKILL')
    await world.hma.db`delete from bank_content`
    const { code, err } = await world.import()
    assert.equal(code, 2, err)
    assert.match(err, /HMA has 0 contents and 3000 came from it before.*--removals/)
    const live = () => world.database.owner`select from bank_content where removed_at is null`
    assert.equal((await live()).length, 3_000)
    assert.equal((await world.import('--removals')).code, 0)
    assert.equal((await live()).length, 0)
  })

  test('says that it is said once more, and then nothing that HMA changed meanwhile is missing', async (t) => {
    const world = await importInTest(t)
    await many(world.hma, 12_000)
    assert.equal(await start(world, 'import-hma:after:1'), 'SIGKILL')
    await world.hma.db`update bank_content set note = 'changed meanwhile' where id = 5`
    const { out } = await world.import()
    assert.match(out, /Done, in more than one call\. .* up to content 10000 .* once more\./)
    assert.match((await world.import()).out, /Done\. A running service has it/)
    const [row] = await world.database.owner`select note from bank_content where id = 5`
    assert.equal(row?.['note'], 'changed meanwhile')
    assert.match((await world.import()).out, /Done\. Nothing had changed in HMA/)
  })

  test('two at once: the second says so', async (t) => {
    const world = await importInTest(t)
    await fillHma(world.hma.db)
    const holder = connect(world.database.ownerAddress, {
      max: 1,
      applicationName: 'test',
      log: silentLog,
    })
    t.after(() => holder.end({ timeout: 1 }))
    await holder`select pg_advisory_lock(7310402817025)`
    const { code, err } = await world.import()
    assert.equal(code, 75)
    assert.match(err, /another import from HMA is running: this one changed nothing/)
  })

  test('a lost connection to HMA is a sentence, and the same command goes on', async (t) => {
    const world = await importInTest(t)
    await many(world.hma, 12_000)
    await world.hma.db`create function cut() returns boolean language plpgsql as $$
      begin perform pg_terminate_backend(pg_backend_pid()); return true; end $$`
    await world.hma.db`alter table bank_content rename to all_content`
    await world.hma
      .db`create view bank_content as select * from all_content where id < 11000 or cut()`
    const { code, err } = await world.import()
    assert.equal(code, 75, err)
    assert.match(err, /the same command goes on where it was/)
    await world.hma.db`drop view bank_content`
    await world.hma.db`alter table all_content rename to bank_content`
    assert.equal((await world.import()).code, 0)
    assert.equal((await world.database.owner`select from bank_content`).length, 12_000)
  })
})

async function many({ db }: HmaInTest, count: number): Promise<void> {
  await db`insert into bank values (1, 'PLAIN', 1, null), (2, 'HALF', 1, null)`
  await db`insert into bank_content (id, bank_id, disable_until_ts) select n, 1 + n % 2, 1 from generate_series(1, ${count}::integer) n`
  await db`insert into content_signal (content_id, signal_type, signal_val)
    select n, 'pdq', encode(sha256(convert_to('p' || n, 'UTF8')), 'hex') from generate_series(1, ${count}::integer) n
    union all select n, 'video_md5', md5('' || n) from generate_series(1, ${count}::integer) n`
}

/** A real process; its exit code, or the signal that ended it. */
async function start({ run, hma }: World, crashPoint: string): Promise<number | string | null> {
  const main = join(import.meta.dirname, '..', 'main.ts')
  const child = spawn(process.execPath, [main, 'import', 'hma', hma.url], {
    env: { ...run.env, BLOBWATCH_CRASH_POINT: crashPoint },
    stdio: 'ignore',
  })
  const [code, signal] = (await once(child, 'exit')) as [number | null, string | null]
  return signal ?? code
}
