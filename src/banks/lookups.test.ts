// What a lookup reads must not hang on what the planner knows: a table that fills within a minute has the statistics of
// an empty one. Counted in rows, not in time.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { after, test } from 'node:test'
import { callStep, connect } from '../db/client.ts'
import { silentLog, testDatabase } from '../testing/database.ts'
import { createBank } from './bank-store.ts'
import { compareLines, endStaging, importCounts, openImport, stageLines } from './import-steps.ts'

const database = await testDatabase()
// One session: what it has counted is flushed before it asks.
const db = connect(database.superuserAddress, { max: 1, applicationName: 'test', log: silentLog })
after(() => db.end({ timeout: 1 }))
const nowMs = Date.parse('2026-11-21T12:00:00.000Z')
const digestOf = (text: string) => createHash('sha256').update(text).digest('hex')
const lines = 1_500

const [tester] = await db<{ id: number }[]>`
  insert into principal (kind, name, created_at) values ('person', 'erin', ${new Date(nowMs)}) returning id`
const principal = tester?.id ?? 0
for (const table of ['bank_content', 'bank_import_line', 'job'])
  await db.unsafe(`alter table ${table} set (autovacuum_enabled = off)`)
// As in a service that has had a little of everything, a while ago.
await createBank(db, { name: 'OLD', mode: 'observe', class: 'restricted', principal, nowMs })
await importList('OLD', 'old', [0, 1, 2])
await db.unsafe(
  `insert into job (kind, key, next_at, reason, created_at) values ('url', '\\x00', now(), 'x', now())`,
)
await db.unsafe('vacuum analyze')

test('a list is compared by its keys in a bank and in a table that the planner believes to be empty', async () => {
  await createBank(db, { name: 'NEW', mode: 'observe', class: 'restricted', principal, nowMs })
  await importList('NEW', 'list', upTo(lines))
  const before = await rowsRead(['bank_content', 'bank_import_line'])
  const { counts } = await stageAndCompare('NEW', 'list', upTo(lines))
  assert.deepEqual([counts.adds, counts.unchanged], [0, lines])
  const read = (await rowsRead(['bank_content', 'bank_import_line'])) - before
  assert.ok(read < lines * 30, `${read} rows for ${lines} lines`)
})

test('a page of a list is compared and counted by itself, also when the planner knows how long the list is', async () => {
  await createBank(db, { name: 'PAGED', mode: 'observe', class: 'restricted', principal, nowMs })
  await importList('PAGED', 'list', upTo(lines))
  const { id } = await stage('PAGED', 'list', upTo(lines))
  await db`analyze bank_import_line, bank_content, bank_signal`
  const before = await rowsRead(['bank_content', 'bank_import_line', 'bank_signal'])
  const { calls, counts } = await compare(id, 10)
  assert.deepEqual([counts.adds, counts.unchanged, counts.deletes], [0, lines, 0])
  assert.ok(calls > lines / 10)
  const read = (await rowsRead(['bank_content', 'bank_import_line', 'bank_signal'])) - before
  assert.ok(read < lines * 30, `${read} rows for ${lines} lines`)
})

test('what a list no longer has is found page by page, each of them looked at once', async () => {
  await createBank(db, { name: 'SHRUNK', mode: 'observe', class: 'restricted', principal, nowMs })
  await importList('SHRUNK', 'list', upTo(lines))
  const before = await rowsRead(['bank_content'])
  const kept = upTo(lines).filter((n) => n % 3 === 0)
  const { id, counts } = await stageAndCompare('SHRUNK', 'list', kept, 100)
  assert.deepEqual([counts.deletes, counts.unchanged], [lines - kept.length, kept.length])
  const gone = await db<{ key: string; line: number }[]>`
    select key, line from bank_import_line where import = ${id} and op = 'delete' order by line`
  assert.deepEqual(
    gone.map(({ key, line }) => `${key} ${line}`),
    upTo(lines)
      .filter((n) => n % 3 !== 0)
      .map((n, index) => `${n} ${kept.length + index + 1}`),
  )
  const read = (await rowsRead(['bank_content'])) - before
  assert.ok(read < lines * 10, `${read} rows for a bank of ${lines}`)
})

test('the lines of a dropped list go page by page, each of them read once', async () => {
  await createBank(db, { name: 'DROPPED', mode: 'observe', class: 'restricted', principal, nowMs })
  const { id } = await stage('DROPPED', 'list', upTo(lines))
  await db`update bank_import set state = 'refused' where id = ${id}`
  const before = await rowsRead(['bank_import_line'])
  let calls = 0
  for (let dropped = 50; dropped === 50; calls++) {
    const [row] = await callStep<{ dropped: number }[]>(db, 'drop_import_lines_v1', { limit: 50 })
    dropped = row?.dropped ?? 0
  }
  assert.ok(calls > lines / 50)
  assert.equal((await db`select from bank_import_line where import = ${id}`).length, 0)
  const read = (await rowsRead(['bank_import_line'])) - before
  assert.ok(read < lines * 10, `${read} rows for ${lines} lines`)
})

test('lines that came in are not looked through again, also while a backup keeps them', async () => {
  await createBank(db, { name: 'APPLIED', mode: 'observe', class: 'restricted', principal, nowMs })
  const { id } = await stage('APPLIED', 'list', upTo(lines))
  await compare(id)
  await db`update bank_import set state = 'applying', position = 0 where id = ${id}`
  const backup = connect(database.superuserAddress, {
    max: 1,
    applicationName: 'test',
    log: silentLog,
  })
  await backup
    .unsafe('begin isolation level repeatable read; select from bank_import_line')
    .simple()
  const before = await rowsRead(['bank_import_line'])
  for (let from = 0, state = 'applying'; state === 'applying';) {
    const given = { import: id, from, limit: 50, principal, now: new Date(nowMs) }
    const [row] = await callStep<{ state: string; position: number }[]>(
      db,
      'apply_import_v1',
      given,
    )
    state = row?.state ?? ''
    from = row?.position ?? 0
  }
  const read = (await rowsRead(['bank_import_line'])) - before
  await backup.end({ timeout: 1 })
  assert.ok(read < lines * 15, `${read} rows for ${lines} lines`)
})

test('a job is found by its whole key, however many the planner believes in', async () => {
  await db.unsafe(`
    insert into job (kind, key, next_at, reason, created_at)
    select 'scan', int8send(n), now(), 'x', now() from generate_series(1, 20000) n`)
  const before = await rowsRead(['job'])
  await db.unsafe(`
    do $$ begin for n in 1..100 loop
      delete from job j where j.kind = 'scan' and j.key = int8send(n);
    end loop; end $$`)
  const read = (await rowsRead(['job'])) - before
  assert.ok(read <= 100 * 5, `${read} rows for 100 jobs`)
  const due = await callStep<object[]>(db, 'claim_jobs_v1', {
    kind: 'url',
    limit: 10,
    leaseSeconds: 60,
    now: new Date(),
  })
  assert.equal(due.length, 1)
  const claimed = (await rowsRead(['job'])) - before - read
  assert.ok(claimed <= 100, `${claimed} rows for one job of another kind`)
})

test('no two indexes of all rows begin with the same column: a lookup has one to go by', async () => {
  const twice = await db<{ table: string; indexes: string[] }[]>`
    select c.relname as table, array_agg(i.indexrelid::regclass::text order by 1) as indexes
    from pg_index i join pg_class c on c.oid = i.indrelid join pg_class x on x.oid = i.indexrelid
      join pg_am m on m.oid = x.relam and m.amname = 'btree'
    where c.relnamespace = 'blobwatch'::regnamespace and not c.relispartition and i.indpred is null and i.indkey[0] <> 0
    group by c.relname, i.indkey[0] having count(*) > 1`
  assert.deepEqual([...twice], [])
})

function upTo(count: number): number[] {
  return Array.from({ length: count }, (_, n) => n)
}

/** Index entries and rows that the statements of this session went through so far. */
async function rowsRead(tables: string[]): Promise<number> {
  await db`select pg_stat_force_next_flush()`
  const [row] = await db<{ rows: number }[]>`
    select sum(t.seq_tup_read + coalesce((
      select sum(i.idx_tup_read) from pg_stat_user_indexes i where i.relid = t.relid), 0))::bigint as rows
    from pg_stat_user_tables t where t.relname in ${db(tables)}`
  return row?.rows ?? Number.NaN
}

async function stageAndCompare(bank: string, source: string, ids: number[], limit?: number) {
  const { id } = await stage(bank, source, ids)
  return { id, ...(await compare(id, limit)) }
}

async function stage(bank: string, source: string, ids: number[]) {
  const { import: id } = await openImport(db, { bank, source, replaces: true, principal, nowMs })
  await stageLines(db, {
    import: id,
    from: 0,
    to: ids.length,
    lines: ids.map((n, index) => ({
      line: index + 1,
      key: `${n}`,
      signals: [{ type: 'sha256', value: digestOf(`${n}`) }],
    })),
  })
  await endStaging(db, { import: id, digest: digestOf(source) })
  return { id }
}

async function compare(id: number, limit?: number) {
  for (let calls = 1; ; calls++) {
    const { compared } =
      limit === undefined
        ? await compareLines(db, id)
        : ((
            await callStep<{ compared: boolean }[]>(db, 'compare_import_v1', { import: id, limit })
          )[0] ?? { compared: true })
    if (compared) return { calls, counts: await importCounts(db, id) }
  }
}

/** The contents as an import leaves them; who approves it is tried elsewhere. */
async function importList(bank: string, source: string, ids: number[]): Promise<void> {
  await db`
    with content as (
      insert into bank_content (bank, created_at, source, source_key)
      select b.id, ${new Date(nowMs)}, ${source}, item.key
      from bank b cross join jsonb_array_elements_text(${db.json(ids)}) with ordinality as item(key, n)
      where b.name = ${bank} order by item.n
      returning id, source_key
    )
    insert into bank_signal (content, type, value, added_generation)
    select id, 'sha256', sha256(convert_to(source_key, 'UTF8')), 1 from content`
}
