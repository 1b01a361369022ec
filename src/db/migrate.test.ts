import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { FatalError } from '../domain/errors.ts'
import { silentLog, testDatabase } from '../testing/database.ts'
import { migrate, migrationState } from './migrate.ts'
import { parseMigration } from './migration-files.ts'
import { openSession } from './session.ts'

const first = { '0001-first.sql': 'create table one (a int);\ninsert into one values (1);' }
const both = { ...first, '0002-second.sql': 'create table two (a int) -- no semicolon here' }

test('applies what is pending, in order and once', async (t) => {
  const { db, run, state } = await migrationSetup(t)
  assert.deepEqual(names(await run(first)), ['first'])
  assert.deepEqual(names((await state(both)).pending), ['second'])
  assert.deepEqual(names(await run(both)), ['second'])
  assert.deepEqual(await run(both), [])
  assert.equal((await db`select * from one`).length, 1)
  assert.deepEqual(
    [...(await db`select version, name, breaking from schema_migration order by 1`)].map((row) =>
      Object.values(row),
    ),
    [
      [1, 'first', false],
      [2, 'second', false],
    ],
  )
})

test('a file that fails leaves nothing of itself, and the next run goes on from there', async (t) => {
  const { db, run } = await migrationSetup(t)
  const broken = { ...first, '0002-second.sql': 'create table two (a int); select 1 / 0;' }
  await assert.rejects(run(broken), /0002-second.sql: .*22012/)
  assert.equal((await db`select to_regclass('two') as found`)[0]?.['found'], null)
  assert.deepEqual(names(await run(both)), ['second'])
})

test('processes that start at once apply each file once', async (t) => {
  const { db, folder, address } = await migrationSetup(t)
  await write(folder, {
    ...first,
    '0002-second.sql': 'create table two (a int); select pg_sleep(0.3);',
    '0003-third.sql': 'insert into two values (1);',
  })
  const script = `
    import { migrate } from ${JSON.stringify(new URL('./migrate.ts', import.meta.url).href)}
    const log = { debug() {}, info() {}, warn() {}, error() {} }
    const done = await migrate({ address: ${JSON.stringify(address)}, folder: ${JSON.stringify(folder)}, log })
    console.log(done.length)`
  const counts = await Promise.all([1, 2, 3].map(() => runScript(script)))
  assert.equal(
    counts.reduce((sum, count) => sum + count),
    3,
  )
  assert.equal((await db`select * from two`).length, 1)
})

test('refuses a database that a newer build changed in a breaking way, and says what to do', async (t) => {
  const { run, state } = await migrationSetup(t)
  await run({ ...both, '0003-third.sql': '-- breaking: column moved\ndrop table two;' })
  await assert.rejects(
    run(both),
    isFatal(/newer Blobwatch \(migration 3 "third"\).*start the newer one/),
  )
  await assert.rejects(state(both), FatalError)
})

test('runs on a database that is ahead in a way it survives, and reports it', async (t) => {
  const { run, state } = await migrationSetup(t)
  await run(both)
  assert.deepEqual(await run(first), [])
  assert.deepEqual(names((await state(first)).unknown), ['second'])
})

test('refuses a file that was changed after it was applied', async (t) => {
  const { run } = await migrationSetup(t)
  await run(first)
  const changed = { '0001-first.sql': 'create table one (a bigint);' }
  await assert.rejects(run(changed), isFatal(/0001-first.sql is not the one that was applied/))
})

test('refuses a file that comes before an applied one', async (t) => {
  const { run } = await migrationSetup(t)
  await run({ '0002-second.sql': both['0002-second.sql'] })
  await assert.rejects(run(both), isFatal(/0001-first.sql comes before number 2/))
})

test('waits its turn when a table is locked for a moment', async (t) => {
  const { address, run } = await migrationSetup(t)
  await run(first)
  const holder = await openSession(address, { applicationName: 'test', log: silentLog })
  await holder.sql.unsafe('start transaction; lock table one in access share mode').simple()
  const running = run({ ...first, '0002-second.sql': 'alter table one add column b int;' })
  await new Promise((resolve) => setTimeout(resolve, 300))
  await holder[Symbol.asyncDispose]()
  assert.deepEqual(names(await running), ['second'])
})

test('refuses files that could not be one transaction, and odd names', () => {
  assert.throws(() => parseMigration('1-x.sql', ''), isFatal(/0001-name.sql/))
  for (const sql of [
    'commit;',
    'select 1;\n begin;',
    'create index concurrently i on t (a);',
    'vacuum t;',
  ])
    assert.throws(() => parseMigration('0001-x.sql', sql), isFatal(/one transaction/))
  const plpgsql = 'create function f() returns void language plpgsql as $$\nbegin\n  null;\nend $$;'
  assert.equal(parseMigration('0001-x.sql', `-- breaking\n-- commit;\n${plpgsql}`).breaking, true)
})

async function migrationSetup(t: TestContext) {
  const folder = await mkdtemp(join(tmpdir(), 'blobwatch-migrations-'))
  t.after(() => rm(folder, { recursive: true }))
  const { owner: db, ownerAddress: address } = await testDatabase(t, { migrations: folder })
  const rewrite = async (files: Record<string, string>) => {
    await rm(folder, { recursive: true })
    await write(folder, files)
  }
  return {
    db,
    folder,
    address,
    run: async (files: Record<string, string>) => {
      await rewrite(files)
      return await migrate({ address, folder, log: silentLog })
    },
    state: async (files: Record<string, string>) => {
      await rewrite(files)
      return await migrationState({ db, folder })
    },
  }
}

async function write(folder: string, files: Record<string, string>): Promise<void> {
  await mkdir(folder, { recursive: true })
  for (const [name, sql] of Object.entries(files)) await writeFile(join(folder, name), sql)
}

async function runScript(script: string): Promise<number> {
  const child = spawn(process.execPath, ['--input-type=module', '--eval', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  return Number((await child.stdout.toArray()).join(''))
}

function names(list: { name: string }[]): string[] {
  return list.map(({ name }) => name)
}

function isFatal(message: RegExp) {
  return (error: Error) => {
    assert.ok(error instanceof FatalError)
    assert.match(error.message, message)
    return true
  }
}
