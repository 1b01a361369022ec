import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { testDatabase } from '../testing/database.ts'
import { commandLine } from './run-in-test.ts'
import { digestOfText, enter, see, testDataKey } from './seed-in-test.ts'

const database = await testDatabase()
const blobwatch = await commandLine(database)
const env = { BLOBWATCH_DATA_KEY: testDataKey }

await blobwatch(['bank', 'create', 'SPAM', '--class', 'open', '--mode', 'act', '--exact', 'act'])
for (const text of ['one', 'two', 'three']) {
  await blobwatch(['bank', 'add', 'SPAM', '--sha256', digestOfText(text)])
  await see(database, { text, rkey: text, mode: text === 'three' ? 'hold' : 'act' })
}
await enter(database)

type Entry = { type: string; pub: Record<string, unknown> }
async function appealEntries(): Promise<Entry[]> {
  await enter(database)
  const ran = await blobwatch(['ledger', 'log', '--type', 'case.appeal', '--limit', '50', '--json'])
  return (ran.json() as { entries: Entry[] }).entries
}

describe('case appeal', () => {
  test('is written down with the time it came in, and the ledger holds nothing that was said', async () => {
    assert.equal((await blobwatch(['case', 'list', '--appealed'])).out, 'Nobody has appealed.')
    const ran = await blobwatch([
      ...['case', 'appeal', '1', '--note', 'my own photograph, says alice@example.com'],
      ...['--received', '2026-01-02T03:04Z'],
    ])
    assert.equal(ran.code, 0, ran.err)
    assert.match(ran.out, /case 1: appeal 1 is written down. It is acted./)
    const [entry, ...more] = await appealEntries()
    assert.deepEqual(more, [])
    assert.deepEqual(entry?.pub, {
      appeal: 1,
      case: 1,
      event: 'received',
      received: '2026-01-02T03:04:00+00:00',
      state: 'acted',
    })
    assert.equal((await blobwatch(['ledger', 'verify'], { env })).code, 0)
  })

  test('is shown with its case and found by case list --appealed', async () => {
    assert.match((await blobwatch(['case', 'show', '1'])).out, /Appeals[\s\S]*2026-01-02.*open/)
    const { cases } = (await blobwatch(['case', 'list', '--appealed', '--json'])).json() as {
      cases: { id: number; appeals: number; appealsOpen: number }[]
    }
    assert.deepEqual(
      cases.map(({ id, appeals, appealsOpen }) => [id, appeals, appealsOpen]),
      [[1, 1, 1]],
    )
    assert.match((await blobwatch(['case', 'list', '--appealed'])).out, /1, 1 open/)
  })

  test('upheld says what is still to be done, and changes nothing by itself', async () => {
    const { out } = await blobwatch(['case', 'appeal', '1', '--resolve', 'upheld'])
    assert.match(out, /appeal 1 is upheld/)
    assert.match(out, /case overturn 1 takes it back/)
    assert.match((await blobwatch(['case', 'show', '1'])).out, /state +acted/)
    const entries = await appealEntries()
    assert.deepEqual(
      entries.map((entry) => entry.pub['event']),
      ['received', 'upheld'],
    )
    assert.equal(entries[1]?.pub['received'], entries[0]?.pub['received'])
  })

  test('upheld with --overturn takes back what was done, once', async () => {
    await blobwatch(['case', 'appeal', '2', '--note', 'a'])
    const words = ['case', 'appeal', '2', '--resolve', 'upheld', '--overturn']
    const { out, code } = await blobwatch(words)
    assert.equal(code, 0)
    assert.match(out, /case 2: overturned. 2 actions taken back/)
    assert.match((await blobwatch(['case', 'show', '2'])).out, /state +overturned/)
    const again = await blobwatch(words)
    assert.equal(again.code, 2)
    assert.match(again.err, /no appeal against case 2 is open/)
  })

  test('an appeal left open by a crash after the overturn is ended by the same command', async () => {
    await blobwatch(['case', 'appeal', '2', '--note', 'b'])
    const { out, code } = await blobwatch([
      'case',
      'appeal',
      '2',
      '--resolve',
      'upheld',
      '--overturn',
    ])
    assert.equal(code, 0)
    assert.match(out, /upheld/)
    assert.match(out, /nothing is left to take back/)
  })

  test('several people may object to one case: which of them is decided has to be said', async () => {
    await blobwatch(['case', 'appeal', '1', '--note', 'first'])
    await blobwatch(['case', 'appeal', '1', '--note', 'second'])
    const unsaid = await blobwatch(['case', 'appeal', '1', '--resolve', 'rejected'])
    assert.equal(unsaid.code, 2)
    assert.match(unsaid.err, /appeals 4, 5 against case 1 are open: say which with --appeal/)
    for (const [appeal, code] of [
      ['4', 0],
      ['4', 2],
      ['99', 2],
      ['5', 0],
    ] as const) {
      const words = ['case', 'appeal', '1', '--resolve', 'rejected', '--appeal', appeal]
      assert.equal((await blobwatch(words)).code, code, appeal)
    }
  })

  test('an upheld appeal against what only waits is a release, which the person is told', async () => {
    await blobwatch(['case', 'appeal', '3', '--note', 'c'])
    const refused = await blobwatch(['case', 'appeal', '3', '--resolve', 'upheld', '--overturn'])
    assert.equal(refused.code, 2)
    assert.match(refused.err, /case release 3/)
    assert.match((await blobwatch(['case', 'list', '--appealed'])).out, /1, 1 open/)
    assert.match(
      (await blobwatch(['case', 'appeal', '3', '--resolve', 'upheld'])).out,
      /case release 3 lets it be/,
    )
  })

  test('mistakes are exit code 2 and write nothing', async () => {
    const before = (await appealEntries()).length
    for (const words of [
      ['99', '--note', 'x'],
      ['1'],
      ['1', '--note', ' '],
      ['1', '--note', 'x', '--received', '2100-01-01T00:00Z'],
      ['1', '--note', 'x', '--received', 'today'],
      ['1', '--note', 'x', '--overturn'],
      ['1', '--resolve', 'maybe'],
      ['1', '--resolve', 'rejected', '--overturn'],
      ['1', '--resolve', 'rejected', '--received', '1d'],
    ]) {
      const { code, err } = await blobwatch(['case', 'appeal', ...words])
      assert.equal(code, 2, words.join(' '))
      assert.ok(err.includes(' '))
    }
    assert.equal((await appealEntries()).length, before)
  })
})

test('the application role writes no appeal by hand', async () => {
  await assert.rejects(
    database.app`insert into appeal (case_file, received_at, at, principal) values (1, now(), now(), 1)`,
    { code: '42501' },
  )
})

test('an appeal whose entry cannot be written is not written down either', async () => {
  const { owner } = database
  await owner.unsafe(`create function no_intake() returns trigger language plpgsql as
    $$ begin raise exception 'no room'; end $$;
    create trigger no_intake before insert on ledger_intake for each row execute function no_intake()`)
  const before =
    await owner`select (select count(*) from appeal) as appeals, (select count(*) from case_event) as events`
  const { code } = await blobwatch(['case', 'appeal', '1', '--note', 'x'])
  assert.notEqual(code, 0)
  const after =
    await owner`select (select count(*) from appeal) as appeals, (select count(*) from case_event) as events`
  assert.deepEqual([...after], [...before])
  await owner`drop trigger no_intake on ledger_intake`
  assert.equal((await blobwatch(['case', 'appeal', '1', '--note', 'x'])).code, 0)
})
