// An import from a database that has HMA's tables and not HMA's habits: an import that is whole without what cannot come, or
// a sentence before anything is written.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { TestContext } from 'node:test'
import { hmaInTest } from '../testing/hma-database.ts'
import { testDatabase } from '../testing/database.ts'
import { md5Of } from './hma-in-test.ts'
import { commandLine } from './run-in-test.ts'

/** Banks PLAIN (1) and PARTNER (2, of exchange 7) with a content each, and what `sql` makes of them. */
async function setUp(t: TestContext, sql: string) {
  const database = await testDatabase(t)
  const { db, url } = await hmaInTest(database, t)
  await db
    .unsafe(
      `insert into exchange values (7, 'PARTNER', 'ncmec', true, true, true, '{}');
     insert into exchange_fetch_status (collab_id, is_up_to_date, checkpoint_json) values (7, true, '{}');
     insert into exchange_data (id, collab_id, fetch_id, fetched_metadata_summary, matched)
     values (50, 7, 'f', '[]', false);
     insert into bank values (1, 'PLAIN', 1, null), (2, 'PARTNER', 1, 7);
     insert into bank_content (id, bank_id, imported_from_id, disable_until_ts) values (1, 1, null, 1), (2, 2, 50, 1);
     insert into content_signal values (1, 'video_md5', '${md5Of(1)}'), (2, 'video_md5', '${md5Of(2)}');
     ${sql}`,
    )
    .simple()
  const run = await commandLine(database)
  return { database, import: () => run(['import', 'hma', url]) }
}

/** Nothing is written. */
const refused: [what: string, sql: string, sentence: RegExp][] = [
  [
    'numbers that are text',
    'alter table content_signal drop constraint content_signal_content_id_fkey; alter table bank_content alter id drop default, alter id type text',
    /of another type than there are bank_content\.id$/,
  ],
  [
    'times that are fractions',
    "alter table bank_content alter disable_until_ts type double precision using 'NaN'",
    /of another type than there are bank_content\.disable_until_ts$/,
  ],
  [
    'JSON that nobody checked',
    `alter table bank_content alter bank_content_metadata type text using '{},"b":2,"i":99';
     alter table exchange alter typed_config type text using 'password=hunter2'`,
    /of another type than there are bank_content\.bank_content_metadata, exchange\.typed_config$/,
  ],
  [
    'numbers beyond ours',
    'alter table bank_content alter id type bigint; insert into bank_content values (9007199254740993, 1, null, 1)',
    /HMA’s numbers are so high/,
  ],
  [
    'more banks than anybody has',
    `insert into bank select n, 'B' || n, 1, null from generate_series(10, 10020) n`,
    /HMA has more than 10000 banks/,
  ],
]

/** Both contents come, but for what is said. */
const taken: [what: string, sql: string, sentence: RegExp][] = [
  [
    'numbers and nesting that no jsonb holds',
    `update bank_content set bank_content_metadata = case id when 1 then '{"x":1e999999}'
       else (repeat('[', 7000) || '"\\u0000"' || repeat(']', 7000))::json end`,
    /2 × metadata that our database does not hold/,
  ],
  [
    'ratios that are no numbers',
    `update bank set enabled_ratio = 'NaN'; insert into signal_type_override values (1, 'pdq', 'NaN'), (2, 'clip', 'Infinity')`,
    /2 ratios of signal types stay behind[\s\S]*bank 1: its ratio is 1 here|bank 1: its ratio is 1 here[\s\S]*2 ratios of signal types stay behind/,
  ],
  [
    'a configuration of megabytes',
    `update exchange set typed_config = json_build_object('a', repeat('x', 2000000))`,
    /exchange 7 stays behind: its name, configuration or checkpoint/,
  ],
  [
    'a checkpoint that no jsonb holds',
    `update exchange_fetch_status set checkpoint_json = '{"a":1e999999}'`,
    /exchange 7 stays behind: its name, configuration or checkpoint/,
  ],
  [
    'a name that writes on the terminal',
    `update exchange set name = E'A\\u001b[31m'`,
    /exchange 7 stays behind: its name, configuration or checkpoint/,
  ],
  [
    'types by the thousand',
    `insert into content_signal select 1, 'type_' || n || repeat('y', 1000), 'v' from generate_series(1, 5000) n`,
    /\d\d × signal of type of another name/,
  ],
]

describe('an import from a database that is not as HMA’s are', () => {
  for (const [what, sql, sentence] of refused)
    test(`refuses ${what}, and quotes none`, async (t) => {
      const world = await setUp(t, sql)
      const { code, err } = await world.import()
      assert.equal(code, 2, err)
      assert.match(err, sentence)
      assert.ok(!err.includes('hunter2'))
      assert.equal((await world.database.owner`select from bank`).length, 0)
    })

  for (const [what, sql, sentence] of taken)
    test(`comes to its end with ${what}, and says so`, async (t) => {
      const world = await setUp(t, sql)
      const { code, out, err } = await world.import()
      assert.equal(code, 0, err)
      assert.match(out, sentence)
      assert.ok(!out.includes('\u001b'))
      assert.equal((await world.database.owner`select from bank_content`).length, 2)
    })

  test('keeps times that a date can be made of, and metadata that only looks like a great number', async (t) => {
    const metadata = '{"sha":"3e10293", "n":12345678901234567890, "x":1e200}'
    const { database, ...world } = await setUp(
      t,
      `update content_signal set create_time = case content_id when 1 then 'infinity' else '0044-03-15 BC' end::timestamptz;
       alter table bank_content alter disable_until_ts type bigint;
       update bank_content set bank_content_metadata = '${metadata}', disable_until_ts = 9223372036854775807`,
    )
    assert.equal((await world.import()).code, 0)
    const rows = await database.owner`
      select created_at, metadata->>'n' as n, metadata->>'sha' as sha, disable_until_ts from bank_content`
    const expected = { created_at: new Date(0), n: '12345678901234567890', sha: '3e10293' }
    for (const row of rows)
      assert.deepEqual({ ...row }, { ...expected, disable_until_ts: 2_147_483_647 })
    assert.equal(rows.length, 2)
  })
})
