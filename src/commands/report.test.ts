import assert from 'node:assert/strict'
import { readFile, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { callStep } from '../db/client.ts'
import { statementProblems } from '../reports/dsa-format.ts'
import type { DsaStatement } from '../reports/dsa-format.ts'
import { ensureRoom } from '../service-database.ts'
import { decideCase } from '../steps/withdraw.ts'
import { createWorld, didOf, digestOfBytes } from '../testing/world.ts'
import { commandLine } from './run-in-test.ts'

const hourMs = 3_600_000
const world = await createWorld(undefined)
// The commands have the clock of this machine.
world.advance(Date.now() - world.clock())
await ensureRoom(world.database.owner, world.clock())
await world.database.owner`update deployment set data_key_id = ${world.dataKey.id}`
const blobwatch = await commandLine(world.database)
const env = { BLOBWATCH_DATA_KEY: '5a'.repeat(32) }
const hour = Math.floor(world.clock() / hourMs) * hourMs
const iso = (ms: number) => `${new Date(ms).toISOString().slice(0, 16)}Z`
const now = ['--from', iso(hour), '--to', iso(hour + hourMs)]
const secret = 'SECRET_LIST'
const posts = 52

await world.bank(secret, { mode: 'act' })
await world.bank('SPAM', {
  class: 'open',
  mode: 'act',
  policy: { actions: ['label'], label: 'spam' },
})
await world.content('SPAM', 'two')
await world.content('SPAM', 'three')
await world.content(secret, 'one')
for (let n = 0; n < posts; n += 1)
  await world.sight([{ did: didOf(n), bytes: n < 30 ? 'two' : 'three', rkey: `r${n}` }])
// A label and two takedowns for each of these.
for (let n = 0; n < 20; n += 1) await world.sight([{ did: didOf(n), bytes: 'one', rkey: `s${n}` }])
await world.settle()
const statementsInAll = posts + 2 * 20

type Folder = { statements: DsaStatement[]; reversals: { puid: string }[]; files: string[] }

async function readFolder(folder: string): Promise<Folder> {
  const parse = async (name: string) =>
    JSON.parse(await readFile(join(folder, name), 'utf8')) as Record<string, unknown>
  const manifest = await parse('manifest.json')
  const files = manifest['files'] as string[]
  const statements: DsaStatement[] = []
  for (const name of files) {
    const document = await parse(name)
    assert.deepEqual(Object.keys(document), ['statements'], 'the body of the call and nothing else')
    const batch = document['statements'] as DsaStatement[]
    assert.ok(batch.length <= 100)
    statements.push(...batch)
  }
  const { reversals } = await parse('reversals.json')
  return { statements, reversals: reversals as { puid: string }[], files }
}

async function dsa(name: string, ...words: string[]): Promise<Folder> {
  const folder = join(blobwatch.dir, name)
  const ran = await blobwatch(['report', 'dsa', ...now, '--out', folder, ...words], { env })
  assert.equal(ran.code, 0, ran.err)
  return readFolder(folder)
}

describe('report dsa', () => {
  test('writes one valid statement for each takedown and label, that names nobody', async () => {
    const { statements } = await dsa('first')
    assert.equal(statements.length, statementsInAll)
    for (const statement of statements) assert.deepEqual(statementProblems(statement), [])
    assert.equal(new Set(statements.map((one) => one.puid)).size, statements.length)
    const text = JSON.stringify(statements)
    for (const word of ['did:', 'at://', secret, digestOfBytes('one'), 'spam', 'SPAM', 'r1"'])
      assert.ok(!text.includes(word), word)
    const labelled = statements.filter(
      (one) => one.decision_visibility[0] === 'DECISION_VISIBILITY_CONTENT_LABELLED',
    )
    assert.equal(labelled.length, posts)
  })

  test('has the same name for an action whenever it is exported, and tells what was lifted', async () => {
    const before = await dsa('before')
    assert.deepEqual(before.reversals, [])
    const [label] = await world.db<{ caseNumber: number }[]>`
      select case_file as "caseNumber" from decision where wants = '{label}' order by id limit 1`
    await decideCase(world.db, {
      caseNumber: label?.caseNumber ?? 0,
      verb: 'overturn',
      principal: world.principal,
      nowMs: world.clock(),
    })
    await world.settle()
    const after = await dsa('after')
    assert.deepEqual(
      after.statements.map((one) => one.puid),
      before.statements.map((one) => one.puid),
    )
    assert.equal(after.reversals.length, 30, 'every label of that picture')
    const known = new Set(after.statements.map((one) => one.puid))
    assert.ok(after.reversals.every((one) => known.has(one.puid)))
    const ended = after.statements.filter(
      (one) => one.end_date_visibility_restriction !== undefined,
    )
    assert.equal(ended.length, 30)
  })

  test('says what a person confirmed, and follows what the operator says about a bank', async () => {
    const [takedown] = await world.db<{ caseNumber: number }[]>`
      select case_file as "caseNumber" from decision where 'takedown-blob' = any (wants) order by id limit 1`
    await decideCase(world.db, {
      caseNumber: takedown?.caseNumber ?? 0,
      verb: 'confirm',
      principal: world.principal,
      nowMs: world.clock(),
    })
    const set = await blobwatch([
      ...['report', 'dsa-bank', secret, '--ground', 'illegal'],
      ...['--category', 'PROTECTION_OF_MINORS', '--keyword', 'CHILD_SEXUAL_ABUSE_MATERIAL'],
      ...['--reference', 'Directive 2011/93/EU, art. 5', '--explanation', 'Known material.'],
    ])
    assert.equal(set.code, 0, set.err)
    assert.match(set.out, /by the operator/)
    const { statements } = await dsa('mapped')
    const illegal = statements.filter((one) => one.decision_ground.includes('ILLEGAL'))
    assert.equal(illegal.length, 40)
    assert.ok(illegal.every((one) => one.automated_decision === 'AUTOMATED_DECISION_PARTIALLY'))
    assert.equal(illegal[0]?.illegal_content_explanation, 'Known material.')
    const labels = statements.filter((one) => !one.decision_ground.includes('ILLEGAL'))
    assert.ok(labels.every((one) => one.automated_decision === 'AUTOMATED_DECISION_FULLY'))
    await world.sequence()
    const { documents } = await world.ledger()
    const [entry] = documents.filter((one) => one.type === 'bank.dsa')
    assert.deepEqual(entry?.pub, { bank: 'b1', defaults: false })
    await blobwatch(['report', 'dsa-bank', secret, '--defaults'])
    assert.match((await blobwatch(['report', 'dsa-bank', secret])).out, /nothing: the defaults/)
  })

  test('refuses and lists a statement whose text came to hold what must not go out', async () => {
    await world.database.owner`insert into bank_dsa (bank, rule, principal, at)
      select 2, jsonb_build_object('ground', 'incompatible', 'keywords', '[]'::jsonb,
        'category', 'STATEMENT_CATEGORY_OTHER_VIOLATION_TC', 'reference', 'Terms',
        'explanation', 'as alice.bsky.social wrote'), ${world.principal}, now()`
    const ran = await blobwatch(['report', 'dsa', ...now, '--dry-run', '--json'], { env })
    const { statements, refused } = ran.json() as {
      statements: number
      refused: { problems: string[] }[]
    }
    assert.equal(statements, 40)
    assert.equal(refused.length, posts)
    assert.match(refused[0]?.problems.join() ?? '', /a handle or a web address/)
    const words = await blobwatch(['report', 'dsa', ...now, '--dry-run'])
    assert.equal(words.code, 0, 'counting needs no data key')
    assert.match(words.out, /52 actions without a statement/)
    assert.ok(!words.out.includes('alice'))
    const { statements: written } = await dsa('refused')
    assert.equal(written.length, 40)
    await blobwatch(['report', 'dsa-bank', 'SPAM', '--defaults'])
  })

  test('cuts into calls of 100, or says that one file is not enough', async () => {
    for (let n = 0; n < 10; n += 1)
      await world.sight([{ did: didOf(100 + n), bytes: 'three', rkey: `t${n}` }])
    await world.settle()
    const { files, statements } = await dsa('many')
    assert.deepEqual(files, ['statements-0001.json', 'statements-0002.json'])
    assert.equal(statements.length, statementsInAll + 10)
    const file = join(blobwatch.dir, 'one.json')
    const refused = await blobwatch(['report', 'dsa', ...now, '--out', file], { env })
    assert.equal(refused.code, 2)
    assert.match(refused.err, /more than one call takes: name a folder/)
    assert.ok(!(await readdir(blobwatch.dir)).includes('one.json'), 'nothing is half written')
  })

  test('writes over nothing, and says what is wrong with what was typed', async () => {
    const folder = join(blobwatch.dir, 'first')
    for (const [words, says] of [
      [[...now, '--out', folder], /is not empty/],
      [now, /--out says where/],
      [[...now, '--out', 'x', '--dry-run'], /--out says where/],
      [['--dry-run'], /say the period once/],
      [['--last', '30d', '--month', '2026-10', '--dry-run'], /say the period once/],
      [['--month', '2026-13', '--dry-run'], /a month like/],
      [['--from', '2026-10-01T00:30Z', '--dry-run'], /a full hour/],
      [['--from', '2026-10-02', '--to', '2026-10-01', '--dry-run'], /ends before it begins/],
      [['--from', '2100-01-01', '--to', '2100-01-02', '--dry-run'], /has not begun/],
    ] as const) {
      const { code, err } = await blobwatch(['report', 'dsa', ...words], { env })
      assert.equal(code, 2, words.join(' '))
      assert.match(err, says)
    }
    const noKey = await blobwatch(['report', 'dsa', ...now, '--out', join(blobwatch.dir, 'nokey')])
    assert.equal(noKey.code, 2)
    assert.match(noKey.err, /data key/)
  })

  test('a rule that could name somebody, or does not fit, is not taken', async () => {
    for (const words of [
      ['SPAM', '--category', 'NOTHING'],
      ['SPAM', '--keyword', 'NOTHING'],
      ['SPAM', '--explanation', 'see alice.bsky.social'],
      ['SPAM', '--explanation', ' '],
      ['SPAM', '--reference', 'x'.repeat(501)],
      ['SPAM', '--reference-url', 'http://example.com'],
      ['SPAM', '--ground', 'illegal', '--also-illegal', 'yes'],
      ['SPAM', '--defaults', '--ground', 'illegal'],
      [secret, '--explanation', `from ${secret}`],
      ['NONE'],
    ]) {
      const { code } = await blobwatch(['report', 'dsa-bank', ...words])
      assert.equal(code, 2, words.join(' '))
    }
    const { isDefault } = (await blobwatch(['report', 'dsa-bank', 'SPAM', '--json'])).json() as {
      isDefault: boolean
    }
    assert.equal(isDefault, true)
  })
})

describe('report compliance', () => {
  const noted = (pub: object, idem: string) =>
    callStep(world.db, 'note_fact_v1', {
      type: 'counts',
      idem,
      now: new Date(world.clock()),
      pub: { source: 'firehose', from: new Date(hour).toISOString(), ...pub },
    })

  test('writes Markdown, JSON or CSV by name or format, and never over another file', async () => {
    await noted({ seen: 5, blobs: 5, clear: 3, matched: 2, unscannable: 0, open: 0 }, 'one')
    await world.sequence()
    for (const [name, begins] of [
      ['r.md', '# Compliance report'],
      ['r.json', '{\n  "report": "blobwatch-compliance",\n  "version": 1'],
      ['r.csv', 'section,key,value,unit\r\nreport,version,1,\r\n'],
    ] as const) {
      const path = join(blobwatch.dir, name)
      const ran = await blobwatch(['report', 'compliance', ...now, '--out', path])
      assert.equal(ran.code, 0, ran.err)
      assert.equal(ran.out, '')
      assert.match(ran.err, /The sum holds/)
      assert.ok((await readFile(path, 'utf8')).startsWith(begins), name)
      const again = await blobwatch(['report', 'compliance', ...now, '--out', path])
      assert.equal(again.code, 2)
      assert.match(again.err, /exists already/)
    }
    const { json } = await blobwatch(['report', 'compliance', ...now, '--json'])
    const report = json() as { completeness: { total: { seen: number } }; holds: boolean }
    assert.equal(report.completeness.total.seen, 5)
    assert.match((await blobwatch(['report', 'compliance', ...now])).out, /^# Compliance report/)
    assert.equal((await blobwatch(['report', 'compliance', '--last', '30d'])).code, 0)
  })

  test('names no account, no secret bank and nobody who works here, in any format', async () => {
    for (const format of ['md', 'json', 'csv']) {
      const { out } = await blobwatch(['report', 'compliance', ...now, '--format', format])
      for (const word of ['did:', 'at://', secret, 'erin', 'tester'])
        assert.ok(!out.includes(word), `${format} ${word}`)
      assert.ok(out.includes('SPAM'))
    }
  })

  test('exit code 1 and loud words when the sum does not hold', async () => {
    await noted({ seen: 5, blobs: 5, clear: 4 }, 'forged')
    await world.sequence()
    const { code, err, out } = await blobwatch(['report', 'compliance', ...now])
    assert.equal(code, 1)
    assert.match(err, /THE SUM DOES NOT HOLD/)
    assert.match(out, /counted twice/)
  })

  test('what cannot be written, or is no period or format, is exit code 2', async () => {
    assert.equal((await blobwatch(['report', 'compliance', '--last', '90m'])).code, 2)
    await writeFile(join(blobwatch.dir, 'file'), '')
    const bad = join(blobwatch.dir, 'file', 'report.md')
    assert.equal((await blobwatch(['report', 'compliance', ...now, '--out', bad])).code, 2)
    assert.equal((await blobwatch(['report', 'compliance', ...now, '--format', 'pdf'])).code, 2)
  })
})
