// export hma as it is typed: what came from an HMA goes back into an empty one, equal for all that HMA can hold.
import assert from 'node:assert/strict'
import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import type { TestContext } from 'node:test'
import type { Database } from '../db/client.ts'
import { copyIn } from '../db/copy-in.ts'
import { applyPage, claimExchanges, endExchange } from '../steps/exchange.ts'
import { hmaInTest } from '../testing/hma-database.ts'
import { createWorld } from '../testing/world.ts'
import { fillHma, md5Of, pdqOf } from './hma-in-test.ts'
import { commandLine } from './run-in-test.ts'
import type { Ran } from './run-in-test.ts'

const reason = ['--confidential', 'we go back to HMA, agreed with the partner']

async function setUp(t: TestContext) {
  const world = await createWorld(t)
  const run = await commandLine(world.database)
  const from = await hmaInTest(world.database, t)
  const to = await hmaInTest(world.database, t)
  await fillHma(from.db)
  const { code, err } = await run(['import', 'hma', from.url])
  assert.equal(code, 0, err)
  /** As beside a running service: the ledger moves. */
  const beside = async (words: string[]): Promise<Ran> => {
    const over = new AbortController()
    const running = run(words).finally(() => over.abort())
    while (!over.signal.aborted) {
      await world.sequence()
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    return await running
  }
  return { world, run, from, to, beside }
}

/** The rows that HMA can hold of both, as text and in order. Pickles, matched and JSON's own spaces are not compared. */
async function tablesOf(hma: Database): Promise<Record<string, unknown[]>> {
  const rows = async (sql: string) => (await hma.unsafe(sql)).map((row) => JSON.stringify(row))
  return {
    exchange: await rows(
      `select id, name, api_cls, retain_api_data, fetching_enabled, retain_data_with_unknown_signal_types, typed_config::jsonb::text from exchange order by id`,
    ),
    status: await rows(
      `select collab_id, running_fetch_start_ts, last_fetch_succeeded, last_fetch_complete_ts, is_up_to_date, checkpoint_ts, checkpoint_json::jsonb::text from exchange_fetch_status`,
    ),
    types: await rows(`select name, enabled_ratio from signal_type_override order by name`),
    bank: await rows(`select * from bank where name ~ '^[A-Z]' order by id`),
    data: await rows(
      `select id, collab_id, fetch_id, fetched_metadata_summary::jsonb::text, matched, verification_result from exchange_data d
       where exists (select from bank_content c where c.imported_from_id = d.id) order by id`,
    ),
    content: await rows(
      `select id, bank_id, imported_from_id, disable_until_ts, original_content_uri, note,
         nullif(case when id not in (101, 105) then bank_content_metadata::jsonb::text end, 'null') as metadata
       from bank_content where id in (${kept}) order by id`,
    ),
    signal: await rows(
      `select content_id, signal_type, lower(signal_val) as value, create_time::text as created from content_signal
       where content_id in (${kept}) and signal_type in ('pdq', 'video_md5', 'video_sha256') and signal_val <> 'nothex'
       order by content_id, signal_type`,
    ),
  }
}
const kept = '10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 30, 31, 100, 101, 105'

describe('export hma', () => {
  test('gives an empty HMA the tables that the first one had, for all that HMA can hold', async (t) => {
    const { from, to, beside, world } = await setUp(t)
    const { code, out, err } = await beside(['export', 'hma', to.url, '--yes-values', ...reason])
    assert.equal(code, 0, err)
    assert.match(out, /3 banks, 18 contents, 28 signals and 1 exchange written/)
    assert.match(out, /3 × mode, class and actions of a bank/)
    assert.deepEqual(await tablesOf(to.db), await tablesOf(from.db))
    const [count] =
      await to.db`select (select count(*) from bank_content) as contents, (select count(*) from content_signal) as signals`
    assert.deepEqual({ ...count }, { contents: 18, signals: 28 })
    assert.equal((await to.db`select from exchange_api_config`).length, 0)
    // HMA's next content gets a number of its own.
    const [next] =
      await to.db`insert into bank_content (bank_id, disable_until_ts) values (1, 1) returning id`
    assert.equal(next?.['id'], 106)
    const { documents } = await world.ledger()
    const entry = documents.find(({ type }) => type === 'hma.export')
    assert.ok(entry !== undefined && JSON.stringify(entry).includes('"confidential":true'))
    assert.ok(!JSON.stringify(documents).includes(pdqOf(10)))
  })

  test('what an exchange brought here since goes back as records of that exchange', async (t) => {
    const { to, run, beside, world, from } = await setUp(t)
    assert.equal((await run(['import', 'hma', from.url, '--exchanges-on'])).code, 0)
    const nowMs = world.clock()
    const [claimed] = await claimExchanges(world.db, { apis: ['ncmec'], limit: 1, nowMs })
    assert.ok(claimed)
    const author = { principal: world.principal, nowMs }
    const md5 = (n: number) => [{ type: 'md5' as const, value: md5Of(n) }]
    await applyPage(world.db, {
      ...{ claimed, pages: claimed.pages, left: {}, ...author },
      ...{ checkpoint: { get_entries_max_ts: 1700000500 }, more: false, askedAtMs: nowMs },
      rows: [
        { k: '12-abc', s: md5(500), t: ['B1'] },
        { k: '12-def', t: [] },
        { k: '12-new', s: md5(501), t: [] },
      ],
    })
    await endExchange(world.db, { claimed, ok: true, nextAtMs: nowMs, ...author })
    const { code, err } = await beside(['export', 'hma', to.url, '--yes-values', ...reason])
    assert.equal(code, 0, err)
    const records = await to.db`
      select d.collab_id, d.fetch_id, d.fetched_metadata_summary::jsonb::text as summary, s.signal_val from exchange_data d
      join bank_content c on c.imported_from_id = d.id join content_signal s on s.content_id = c.id order by d.fetch_id`
    assert.deepEqual(
      records.map((row) => Object.values(row)),
      [
        [7, '12-abc', '[{"tags": ["B1"]}]', md5Of(500)],
        [7, '12-new', '[{"tags": []}]', md5Of(501)],
      ],
    )
    const [status] = await to.db`
      select last_fetch_complete_ts as at, is_up_to_date as now, checkpoint_json::text as checkpoint from exchange_fetch_status`
    assert.deepEqual(
      { ...status },
      {
        ...{ at: Math.floor(nowMs / 1000), now: true },
        checkpoint: '{"get_entries_max_ts": 1700000500}',
      },
    )
  })

  test('writes SQL that psql reads into an empty HMA, for its owner only', async (t) => {
    const { from, to, beside, run } = await setUp(t)
    const file = join(run.dir, 'back.sql')
    const words = ['export', 'hma', '--output', file, '--yes-values', ...reason, '--json']
    const ran = await beside(words)
    assert.equal(ran.code, 0, ran.err)
    assert.equal((ran.json() as { contents: number }).contents, 18)
    assert.equal((await stat(file)).mode & 0o777, 0o600)
    assert.match((await beside(words)).err, /cannot be made: is there such a file already/)
    // Whoever runs psql may live anywhere.
    await to.db`set timezone = 'Asia/Tokyo'`
    await replay(to.db, await readFile(file, 'utf8'))
    await to.db`reset timezone`
    assert.deepEqual(await tablesOf(to.db), await tablesOf(from.db))
  })

  test('a restricted or confidential bank leaves only when that was said', async (t) => {
    const { to, run, beside } = await setUp(t)
    for (const [words, sentence] of [
      [
        ['--yes-values'],
        /PARTNER is confidential: its signals leave only with --confidential REASON/,
      ],
      [reason, /PLAIN is restricted|HALF is restricted|PARTNER is restricted/],
      [['--yes-values', '--confidential', 'short'], /a reason has 10 to 500 characters/],
    ] as const) {
      const { code, err } = await run(['export', 'hma', to.url, ...words])
      assert.equal(code, 2)
      assert.match(err, sentence)
    }
    assert.equal((await to.db`select from bank`).length, 0)
    const { code, out } = await beside([
      'export',
      'hma',
      to.url,
      '--yes-values',
      '--skip-confidential',
    ])
    assert.equal(code, 0)
    assert.match(out, /2 banks, 16 contents/)
    assert.match(out, /1 × confidential bank, left out/)
    assert.deepEqual(
      (await to.db`select name from bank order by name`).map((row) => row['name']),
      ['HALF', 'PLAIN'],
    )
  })

  test('while the ledger does not move nothing leaves', async (t) => {
    const { to, run } = await setUp(t)
    const stop = AbortSignal.timeout(300)
    const { code, err } = await run(['export', 'hma', to.url, '--yes-values', ...reason], { stop })
    assert.equal(code, 75)
    assert.match(err, /nothing is released/)
    assert.equal((await to.db`select from bank`).length, 0)
  })

  test('refuses an HMA that has something, and leaves it as it was', async (t) => {
    const { to, beside } = await setUp(t)
    await to.db`insert into bank values (9, 'THEIRS', 1, null)`
    const { code, err } = await beside(['export', 'hma', to.url, '--yes-values', ...reason])
    assert.equal(code, 2)
    assert.match(err, /HMA’s table bank is not empty/)
    assert.deepEqual(
      (await to.db`select name from bank`).map((row) => row['name']),
      ['THEIRS'],
    )
  })

  test('a destination that is cut off in the middle, or takes no more, has nothing of it', async (t) => {
    const { to, beside } = await setUp(t)
    const words = ['export', 'hma', to.url, '--yes-values', ...reason]
    const faults = {
      'perform pg_terminate_backend(pg_backend_pid())':
        /could not write content_signal of HMA: .* lost .*; nothing of it is there/,
      [`raise 'no' using errcode = 'disk_full'`]:
        /could not write content_signal of HMA: .*53100.*; nothing of it is there/,
    }
    await to.db`create function fault() returns trigger language plpgsql as 'begin return new; end'`
    await to.db`create trigger fault before insert on content_signal for each row execute function fault()`
    for (const [fault, sentence] of Object.entries(faults)) {
      await to.db.unsafe(
        `create or replace function fault() returns trigger language plpgsql as $$ begin ${fault}; return new; end $$`,
      )
      const { code, err } = await beside(words)
      assert.equal(code, 75, err)
      assert.match(err, sentence)
      assert.equal((await to.db`select from bank`).length, 0)
    }
  })

  test('says what of our own HMA has no place for, and takes the rest', async (t) => {
    const { to, run, beside } = await setUp(t)
    await run(['bank', 'create', 'OWN', '--class', 'open', '--pdq-distance', '20'])
    await run(['bank', 'create', 'HARMLESS', '--class', 'open', '--suppresses', 'ALL'])
    const sha1 = 'ab12'.repeat(10)
    assert.equal((await run(['bank', 'add', 'OWN', '--md5', md5Of(7), '--sha1', sha1])).code, 0)
    assert.equal((await run(['bank', 'add', 'OWN', '--sha256', pdqOf(8)])).code, 0)
    const { out, err } = await beside(['export', 'hma', to.url, '--yes-values', ...reason])
    for (const part of [
      /1 × signal of type sha1/,
      /1 × signal of type sha256/,
      /1 × content without a signal that HMA holds/,
      /1 × negative bank, which HMA would match with/,
      /1 × bank with another PDQ distance than HMA's 31/,
    ])
      assert.match(out, part, err)
    const banks = await to.db`select id, name from bank order by id`
    assert.deepEqual(
      banks.map((row) => row['name']),
      ['PLAIN', 'HALF', 'PARTNER', 'OWN'],
    )
    const [own] = await to.db`select id from bank_content where bank_id = ${banks.at(-1)?.['id']}`
    assert.ok(own?.['id'] > 1_000_000)
  })
})

/** What psql does with such a file: a setting of its own, statements that end with a line, rows up to `\\.`. */
async function replay(hma: Database, text: string): Promise<void> {
  const lines = text.split('\n')
  let statement = ''
  for (let line = lines.shift(); line !== undefined; line = lines.shift()) {
    if (/^(--|\\set )/.test(line)) continue
    statement += `${line}\n`
    // The body of a block is no statement.
    if (!line.endsWith(';') || statement.split('$$').length === 2) continue
    if (!statement.startsWith('copy ')) await hma.unsafe(statement).simple()
    else {
      const rows = lines.splice(0, lines.indexOf('\\.') + 1).slice(0, -1)
      await copyIn(hma, statement, rows.map((row) => `${row}\n`).join(''))
    }
    statement = ''
  }
}
