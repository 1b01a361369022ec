// bank import and export as they are typed, and an import that is killed wherever it persists something.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import type { SocketAddress } from '../db/address.ts'
import { testDatabase } from '../testing/database.ts'
import { commandLine } from './run-in-test.ts'

const database = await testDatabase()
const blobwatch = await commandLine(database)
const main = join(import.meta.dirname, '..', 'main.ts')
const digestOf = (text: string) => createHash('sha256').update(text).digest('hex')

async function writeList(name: string, ids: readonly (number | string)[]): Promise<string> {
  const file = join(blobwatch.dir, name)
  const rows = ids.map((id) => `${id},${digestOf(`${id}`)},item ${id}`)
  await writeFile(file, ['id,sha256,note', ...rows, ''].join('\n'))
  return file
}

const upTo = (count: number) => Array.from({ length: count }, (_, n) => n)

async function bankOf(name: string): Promise<{ key: string; signals: number }[]> {
  return database.owner`
    select c.source_key as key, count(s.id) as signals
    from bank_content c join bank b on b.id = c.bank left join bank_signal s on s.content = c.id and s.state = 'live'
    where b.name = ${name} and c.removed_at is null group by c.id order by c.id`
}

describe('bank import', () => {
  test('shows what a list does, does it, and says that the bank observes now', async () => {
    await blobwatch(['bank', 'create', 'BAD', '--mode', 'act'])
    const file = await writeList('list.csv', upTo(10))
    const dry = await blobwatch(['bank', 'import', 'BAD', file, '--dry-run'])
    assert.match(dry.out, /11 lines read: 10 to add, 0 to remove, 0 in the bank already, 0 refused/)
    assert.match(dry.out, /nothing was seen in the last 30 days/)
    assert.match(dry.out, /Nothing was changed: --dry-run/)
    assert.equal((await bankOf('BAD')).length, 0)
    const { code, out, err } = await blobwatch(['bank', 'import', 'BAD', file])
    assert.equal(code, 0, err)
    assert.match(out, /10 contents added to BAD, 0 removed, 0 unchanged/)
    assert.match(out, /BAD observes now, because this is its first list/)
    assert.match(err, /11 lines read, 100%/)
    assert.equal((await bankOf('BAD')).length, 10)
    assert.ok(!out.includes(digestOf('1')))
  })

  test('stops while the disk is low, says so, and goes on where it was', async () => {
    await blobwatch(['bank', 'create', 'LOW'])
    const file = await writeList('low.csv', upTo(10))
    const env = { BLOBWATCH_DISK_FREE_MB_MIN: '100000000' }
    const { code, err } = await blobwatch(['bank', 'import', 'LOW', file], { env })
    assert.equal(code, 75)
    assert.match(
      err,
      /the disk is low: \d+ MB are free, and BLOBWATCH_DISK_FREE_MB_MIN is 100000000/,
    )
    assert.equal((await bankOf('LOW')).length, 0)
    assert.equal((await blobwatch(['bank', 'import', 'LOW', file])).code, 0)
    assert.equal((await bankOf('LOW')).length, 10)
  })

  test('answers in JSON, and never with a value', async () => {
    const file = await writeList('list.csv', upTo(11))
    const ran = await blobwatch(['bank', 'import', 'BAD', file, '--json'])
    const result = ran.json() as { applied: object; facts: { counts: { adds: number } } }
    assert.deepEqual(result.applied, { added: 1, removed: 0, unchanged: 10 })
    assert.equal(result.facts.counts.adds, 1)
    assert.ok(!ran.out.includes(digestOf('10')))
  })

  test('a large change waits, says who approves, and goes on when somebody did', async () => {
    const file = await writeList('list.csv', upTo(30))
    const { code, out } = await blobwatch(['bank', 'import', 'BAD', file])
    assert.equal(code, 1)
    assert.match(out, /Nothing is in the bank yet: proposal 1 \(adds\); nobody else is registered/)
    const list = await blobwatch(['approval', 'list'])
    assert.match(list.out, /list list: \+19 −0/)
    assert.match((await blobwatch(['approval', 'show', '1'])).out, /so may tester from/)
    const own = await blobwatch(['approval', 'approve', '1'])
    assert.equal(own.code, 2)
    assert.match(own.err, /proposal 1 is your own/)
    const env = { BLOBWATCH_PRINCIPAL: 'dana' }
    const approved = await blobwatch(['approval', 'approve', '1'], { env })
    assert.match(approved.out, /would match|nothing was seen/)
    assert.match(approved.out, /proposal 1 is approved: 19 contents added to BAD/)
    assert.match((await blobwatch(['approval', 'approve', '1'], { env })).out, /approved already/)
    assert.equal((await bankOf('BAD')).length, 30)
    assert.equal((await blobwatch(['approval', 'list'])).out, 'Nothing waits for a second person.')
  })

  test('says which lines it cannot take and why, and leaves nothing open when it can take none', async () => {
    const file = join(blobwatch.dir, 'bad.jsonl')
    await writeFile(file, `{"signals":{"sha256":"xyz"}}\n{"signals":{"sha256":"ab"}}\nnothing\n`)
    const { code, out, err } = await blobwatch(['bank', 'import', 'BAD', file])
    assert.equal(code, 2)
    assert.match(out, /2 lines left out: a value that is not hex of the right length \(line 1, 2\)/)
    assert.match(err, /no line of the list can be taken/)
    assert.equal((await blobwatch(['bank', 'import', 'BAD'])).code, 2)
    const [open] = await database.owner`
      select count(*) as count from bank_import where state not in ('done', 'refused')`
    assert.equal(open?.['count'], 0)
  })

  test('refuses a bank, a file, a format and a header that do not fit', async () => {
    const odd = join(blobwatch.dir, 'odd.csv')
    await writeFile(odd, 'name,hash\nx,y\n')
    for (const words of [
      ['NOWHERE', odd],
      ['BAD', join(blobwatch.dir, 'nothing.csv')],
      ['BAD', odd],
      ['BAD', join(blobwatch.dir, 'list.txt')],
      ['BAD', odd, '--format', 'xml'],
      ['BAD', '--abandon'],
    ]) {
      const { code, err } = await blobwatch(['bank', 'import', ...words])
      assert.equal(code, 2, words.join(' '))
      assert.notEqual(err, '')
    }
  })
})

describe('bank export', () => {
  test('comes back equal in both formats, words and all', async () => {
    await blobwatch(['bank', 'create', 'OPEN', '--class', 'open'])
    const words = 'a "quoted", comma\nand a new line, ünïcödé 😀'
    const metadata = JSON.stringify({ words, nested: [1, { a: null }] })
    const pdq = 'f8f8f0cee0f4a84f06370a22038f63f0b36e2ed596621e1d33e6b39c4e9c9b22'
    const add = ['bank', 'add', 'OPEN', '--note', words, '--metadata', metadata]
    assert.equal(
      (await blobwatch([...add, '--pdq', pdq, '--md5', 'ab1'.repeat(10) + 'cd'])).code,
      0,
    )
    assert.equal((await blobwatch([...add, '--sha256', digestOf('x')])).code, 0)
    await blobwatch(['bank', 'disable', 'OPEN', String((await ids('OPEN'))[1])])
    for (const format of ['csv', 'jsonl']) {
      const file = join(blobwatch.dir, `open.${format}`)
      const out = await blobwatch(['bank', 'export', 'OPEN', '--output', file])
      assert.equal(out.code, 0, out.err)
      assert.equal((await stat(file)).mode & 0o777, 0o600)
      const copy = `COPY_${format.toUpperCase()}`
      await blobwatch(['bank', 'create', copy, '--class', 'open'])
      assert.equal((await blobwatch(['bank', 'import', copy, file])).code, 0)
      assert.deepEqual(await wordsOf(copy), await wordsOf('OPEN'))
      const printed = await blobwatch(['bank', 'export', 'OPEN', '--format', format])
      assert.equal(`${printed.out}\n`, await readFile(file, 'utf8'))
      assert.equal((await blobwatch(['bank', 'export', 'OPEN', '--output', file])).code, 2)
    }
  })

  test('of a restricted bank is asked for and entered; a confidential one never leaves', async () => {
    const asked = await blobwatch(['bank', 'export', 'BAD'])
    assert.equal(asked.code, 2)
    assert.match(asked.err, /BAD is restricted: --yes-values/)
    const { code, out } = await blobwatch(['bank', 'export', 'BAD', '--yes-values'])
    assert.equal(code, 0)
    assert.equal(out.split('\n').length, 31)
    const [note] = await database.owner<{ pub: object }[]>`
      select pub from ledger_intake where type = 'bank.export'`
    assert.deepEqual(note?.pub, { bank: 'b1', contents: 30, format: 'csv' })
    await database.owner`update bank set confidential = true where name = 'BAD'`
    const secret = await blobwatch(['bank', 'export', 'BAD', '--yes-values'])
    assert.equal(secret.code, 2)
    assert.match(secret.err, /BAD is confidential/)
  })
})

describe('an import killed', () => {
  for (const [point, count] of [
    ['import-stage:after', 1],
    ['import-stage:after', 2],
    ['import-apply:before', 1],
    ['import-apply:before', 2],
    ['import-apply:after', 1],
    ['import-apply:after', 3],
  ] as const) {
    test(`at ${point} the ${count}. time goes on where it was: nothing lost, nothing doubled`, async () => {
      const name = `KILLED_${point.replaceAll(/[^a-z]/g, '_').toUpperCase()}_${count}`
      await blobwatch(['bank', 'create', name])
      const file = await writeList(`${name}.csv`, upTo(12_000))
      assert.equal(await start(['bank', 'import', name, file], `${point}:${count}`), 'SIGKILL')
      assert.equal(await start(['bank', 'import', name, file]), 0)
      const rows = await bankOf(name)
      assert.equal(new Set(rows.map(({ key }) => key)).size, 12_000)
      assert.deepEqual([rows.length, rows.every(({ signals }) => signals === 1)], [12_000, true])
      const [state] = await database.owner<{ open: number; added: number }[]>`
        select (select count(*) from bank_import_line) as open, sum((pub->>'added')::integer) as added
        from ledger_intake where type = 'import.batch' and private->>'name' = ${name}`
      // Killed after the last batch it was done: the second run finds every item there.
      assert.deepEqual({ ...state }, { open: 0, added: 12_000 })
    })
  }

  test('is dropped with --abandon, and another list can come', async () => {
    await blobwatch(['bank', 'create', 'DROPPED'])
    const file = await writeList('dropped.csv', upTo(12_000))
    const words = ['bank', 'import', 'DROPPED', file]
    assert.equal(await start(words, 'import-apply:after:1'), 'SIGKILL')
    await writeList('dropped.csv', upTo(3))
    const other = await blobwatch(words)
    assert.equal(other.code, 2)
    assert.match(other.err, /another import of the list 'dropped' into DROPPED is open/)
    const { out } = await blobwatch(['bank', 'import', 'DROPPED', '--abandon'])
    assert.match(out, /lines 1 to 5001 are in the bank and stay there|lines 1 to 5000 are in/)
    assert.equal((await blobwatch(words)).code, 0)
  })
})

async function ids(bank: string): Promise<number[]> {
  const rows = await database.owner<{ id: number }[]>`
    select c.id from bank_content c join bank b on b.id = c.bank where b.name = ${bank} order by c.id`
  return rows.map(({ id }) => id)
}

async function wordsOf(bank: string): Promise<object[]> {
  const rows = await database.owner<object[]>`
    select c.note, c.metadata, c.disable_until_ts,
      (select array_agg(s.type || ' ' || encode(s.value, 'hex') || ' ' || coalesce(s.quality, -1) order by s.type)
        from bank_signal s where s.content = c.id) as signals
    from bank_content c join bank b on b.id = c.bank where b.name = ${bank} order by c.id`
  return [...rows]
}

/** A real process; its exit code, or the signal that ended it. */
async function start(words: string[], crashPoint?: string): Promise<number | string | null> {
  const { appAddress, ownerAddress } = database
  const child = spawn(process.execPath, [main, ...words], {
    env: {
      BLOBWATCH_PRINCIPAL: 'tester',
      BLOBWATCH_DATABASE_URL: urlOf(appAddress),
      BLOBWATCH_DATABASE_OWNER_URL: urlOf(ownerAddress),
      ...(crashPoint !== undefined && { BLOBWATCH_CRASH_POINT: crashPoint }),
    },
    stdio: 'ignore',
  })
  const [code, signal] = (await once(child, 'exit')) as [number | null, string | null]
  return signal ?? code
}

function urlOf({ host, database, username, port }: SocketAddress): string {
  return `postgres://${username}@localhost:${port}/${database}?host=${encodeURIComponent(host)}`
}
