// The file of export hma, read by psql itself, and what is left of it when it does not come to its end.
import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { readFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import type { TestContext } from 'node:test'
import { promisify } from 'node:util'
import { hmaInTest } from '../testing/hma-database.ts'
import type { HmaInTest } from '../testing/hma-database.ts'
import { testDatabase } from '../testing/database.ts'
import { md5Of } from './hma-in-test.ts'
import { commandLine } from './run-in-test.ts'

const psqlPath = '/usr/bin/psql'
const run = promisify(execFile)

/** What a file of SQL could be misread at. No NUL: Postgres holds none. */
const notes = [
  String.raw`\.`,
  String.raw`\N`,
  String.raw`a\nb\\c\! touch /tmp/blobwatch-was-run`,
  "line\nline\r\ttab'; rollback; drop table bank; --",
  '\\.\n; rollback; drop table bank;\n\\! touch /tmp/blobwatch-was-run\n',
  '$$ ünïcödé 😀 \u{202e}',
  '',
  ' '.repeat(255),
]

async function setUp(t: TestContext, { contents = notes.length } = {}) {
  const database = await testDatabase(t)
  const [from, to] = [await hmaInTest(database, t), await hmaInTest(database, t)]
  await from.db`insert into bank values (1, 'PLAIN', 0.25, null)`
  for (let n = 0; n < contents; n++) {
    await from.db`insert into bank_content (id, bank_id, disable_until_ts, note, original_content_uri, bank_content_metadata)
      values (${n + 1}, 1, 1, ${notes[n % notes.length] ?? ''}, ${notes[n % notes.length] ?? ''},
        ${JSON.stringify({ note: notes[n % notes.length] })}::text::json)`
    await from.db`insert into content_signal values (${n + 1}, 'video_md5', ${md5Of(n)})`
  }
  const blobwatch = await commandLine(database)
  const imported = await blobwatch(['import', 'hma', from.url, '--class', 'open'])
  assert.equal(imported.code, 0, imported.err)
  const file = join(blobwatch.dir, 'back.sql')
  return { from, to, blobwatch, file, words: ['export', 'hma', '--output', file] }
}

function psql({ url }: HmaInTest, file: string, env: Record<string, string> = {}) {
  const address = url.replace('+psycopg2', '')
  return run(psqlPath, ['-X', '-q', '-f', file, address], { env: { PATH: '', ...env } })
}

async function tableOf({ db }: HmaInTest): Promise<unknown[]> {
  return (
    await db`select c.id, note, original_content_uri, bank_content_metadata->>'note' as inner, signal_val
      from bank_content c join content_signal s on s.content_id = c.id order by c.id`
  ).map((row) => ({ ...row }))
}

describe('a file of export hma', () => {
  test(
    'is read by psql whatever is in it, under any encoding of the terminal',
    { skip: existsSync(psqlPath) ? false : 'there is no psql' },
    async (t) => {
      const { from, to, blobwatch, file, words } = await setUp(t)
      const { code, err } = await blobwatch(words)
      assert.equal(code, 0, err)
      await psql(to, file, { PGCLIENTENCODING: 'LATIN1' })
      assert.deepEqual(await tableOf(to), await tableOf(from))
      assert.equal((await tableOf(to)).length, notes.length)
    },
  )

  test(
    'changes nothing in an HMA that has something, and its rows are never taken for statements',
    { skip: existsSync(psqlPath) ? false : 'there is no psql' },
    async (t) => {
      const { to, blobwatch, file, words } = await setUp(t)
      assert.equal((await blobwatch(words)).code, 0)
      await to.db`insert into bank values (9, 'THEIRS', 1, null)`
      await assert.rejects(psql(to, file), /HMA’s table bank is not empty/)
      await to.db`delete from bank`
      await to.db`alter table bank_content drop column note`
      await assert.rejects(
        psql(to, file),
        /column "note" of relation "bank_content" does not exist/,
      )
      assert.equal((await to.db`select from bank`).length, 0)
      assert.ok(!existsSync('/tmp/blobwatch-was-run'))
    },
  )

  test(
    'of no contents is one too',
    { skip: existsSync(psqlPath) ? false : 'there is no psql' },
    async (t) => {
      const { to, blobwatch, file, words } = await setUp(t, { contents: 0 })
      assert.match((await blobwatch(words)).out, /1 bank, 0 contents, 0 signals/)
      await psql(to, file)
      assert.deepEqual(
        (await to.db`select name, enabled_ratio from bank`).map((row) => ({ ...row })),
        [{ name: 'PLAIN', enabled_ratio: 0.25 }],
      )
    },
  )

  test('that the disk does not take whole is not there, and neither is one that was stopped', async (t) => {
    const { blobwatch, words, file } = await setUp(t, { contents: 60 })
    // A write beyond the limit takes what fits and says so; the next one fails.
    const limited = ['-c', 'ulimit -f 4; exec "$@"', 'sh', process.execPath]
    const main = join(import.meta.dirname, '..', 'main.ts')
    const child = spawn('/bin/sh', [...limited, main, ...words], { env: blobwatch.env })
    let told = ''
    child.stderr.on('data', (chunk: Buffer) => (told += chunk.toString()))
    assert.deepEqual(await once(child, 'close'), [75, null], told)
    assert.match(told, /back\.sql could not be written: EFBIG/)
    assert.ok(!existsSync(file))
    const stopped = await blobwatch(words, { stop: AbortSignal.abort() })
    assert.equal(stopped.code, 75)
    assert.match(stopped.err, /stopped before the end/)
    assert.ok(!(await readdir(blobwatch.dir)).includes('back.sql'))
    assert.equal((await blobwatch(words)).code, 0)
    assert.match(await readFile(file, 'utf8'), /^commit;\n$/m)
    assert.match((await blobwatch(words)).err, /cannot be made: is there such a file already/)
    assert.ok(existsSync(file), 'a file that was there before stays')
  })
})
