import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { testDatabase } from '../testing/database.ts'
import { commandLine } from './run-in-test.ts'
import { cidOfText, digestOfText, enter, see, testDataKey, testDid } from './seed-in-test.ts'

const database = await testDatabase()
const blobwatch = await commandLine(database)
const env = { BLOBWATCH_DATA_KEY: testDataKey }

await blobwatch(['bank', 'create', 'SPAM', '--class', 'open', '--mode', 'hold'])
await blobwatch(['bank', 'add', 'SPAM', '--sha256', digestOfText('one')])
await blobwatch(['bank', 'add', 'SPAM', '--sha256', digestOfText('two')])
const one = await see(database, { text: 'one', rkey: '1', mode: 'act' })
await see(database, { text: 'two', rkey: '2', mode: 'act' })

describe('case', () => {
  test('lists what is open, and says so in a sentence when nothing is', async () => {
    const { code, out } = await blobwatch(['case', 'list'])
    assert.equal(code, 0)
    assert.match(out, /SPAM/)
    assert.match(out, /bank-hold/)
    const none = await blobwatch(['case', 'list', '--state', 'overturned'])
    assert.equal(none.out, 'No such case.')
  })

  test('pages with --limit and --page and tells that there is more', async () => {
    const { out } = await blobwatch(['case', 'list', '--limit', '1'])
    assert.match(out, /There is more: --page 2/)
    const page = await blobwatch(['case', 'list', '--limit', '1', '--page', '2', '--json'])
    const { cases, more } = page.json() as { cases: { id: number }[]; more: boolean }
    assert.equal(cases.length, 1)
    assert.equal(more, false)
  })

  test('refuses a state that does not exist with exit code 2', async () => {
    const { code, err } = await blobwatch(['case', 'list', '--state', 'closed'])
    assert.equal(code, 2)
    assert.match(err, /--state is one of open, acted, confirmed/)
  })

  test('shows blobs, places, matches, decisions and actions, and never a signal of the bank', async () => {
    const { out } = await blobwatch(['case', 'show', '1'])
    for (const text of [one.cid, one.uri, 'SPAM', 'takedown-record', 'held', 'case confirm 1']) {
      assert.ok(out.includes(text), text)
    }
    assert.ok(!out.includes(digestOfText('one')))
    const { json } = await blobwatch(['case', 'show', '1', '--json'])
    const shown = json() as { places: string[]; actions: { state: string }[] }
    assert.deepEqual(shown.places, [one.uri])
    assert.deepEqual(
      shown.actions.map((action) => action.state),
      ['held', 'held'],
    )
  })

  test('says that a case does not exist with exit code 2', async () => {
    const { code, err } = await blobwatch(['case', 'show', '99'])
    assert.equal(code, 2)
    assert.equal(err, 'there is no case 99')
  })
})

describe('hold list', () => {
  test('says why actions wait and what to do', async () => {
    const { out } = await blobwatch(['hold', 'list'])
    assert.match(out, /case confirm 1 or case release 1/)
    assert.match(out, /takedown-blob/)
  })
})

describe('a decision', () => {
  test('note writes into the history', async () => {
    assert.match((await blobwatch(['case', 'note', '1', 'seen before'])).out, /case 1: noted/)
    assert.match((await blobwatch(['case', 'show', '1'])).out, /tester.*note.*seen before/)
  })

  test('confirm releases what waits and says what happens next', async () => {
    const { code, out } = await blobwatch(['case', 'confirm', '1', '--note', 'sure'])
    assert.equal(code, 0)
    assert.match(
      out,
      /case 1: confirmed. 2 actions released to the ledger; a running service sends them/,
    )
    const again = await blobwatch(['case', 'confirm', '1'])
    assert.equal(again.code, 2)
    assert.match(again.err, /case 1 is confirmed already/)
  })

  test('overturn takes back what was confirmed, release ends what waits', async () => {
    const overturned = await blobwatch(['case', 'overturn', '1', '--json'])
    assert.deepEqual(overturned.json(), {
      case: 1,
      verb: 'overturn',
      state: 'overturned',
      actions: 2,
      subjects: 1,
      feedback: 1,
      stays: 0,
      wantedBy: [],
      changed: [],
    })
    assert.match(
      (await blobwatch(['case', 'release', '2'])).out,
      /released. 2 actions will not happen/,
    )
    assert.equal(
      (await blobwatch(['case', 'list'])).out,
      'No case is open: nothing waits for a person.',
    )
  })
})

describe('show', () => {
  test('tells what is known about a record, an account and a blob', async () => {
    for (const what of [one.uri, testDid, one.cid]) {
      const { code, out } = await blobwatch(['show', what])
      assert.equal(code, 0)
      for (const text of ['Sightings', 'Matches', 'Decisions', 'Actions'])
        assert.ok(out.includes(text), what)
    }
    const { out } = await blobwatch(['show', one.cid])
    assert.match(out, /verdict +matched/)
    assert.match(out, /released-by-person/)
    const { json } = await blobwatch(['show', one.uri, '--json'])
    assert.equal((json() as { sightings: unknown[] }).sightings.length, 1)
  })

  test('a case number shows the case', async () => {
    assert.match((await blobwatch(['show', '1'])).out, /state +overturned/)
  })

  test('says that nothing is known, and refuses what it cannot read', async () => {
    const unknown = cidOfText('never seen')
    assert.equal((await blobwatch(['show', unknown])).out, `Nothing is known about ${unknown}.`)
    const { code, err } = await blobwatch(['show', 'alice.example.com'])
    assert.equal(code, 2)
    assert.match(err, /show takes an at:\/\/ address/)
  })
})

describe('pause', () => {
  test('is told by case confirm, and hold list says resume', async () => {
    await blobwatch(['bank', 'add', 'SPAM', '--sha256', digestOfText('three')])
    await see(database, { text: 'three', rkey: '3', mode: 'act' })
    assert.match((await blobwatch(['pause'])).out, /paused: all actions/)
    assert.match((await blobwatch(['case', 'confirm', '3'])).out, /actions are paused/)
    await enter(database)
    assert.match((await blobwatch(['hold', 'list'])).out, /paused.*resume/)
    assert.match((await blobwatch(['resume'])).out, /resumed/)
    assert.equal((await blobwatch(['pause', '--kind', 'nothing'])).code, 2)
    const verified = await blobwatch(['ledger', 'verify'], { env })
    assert.equal(verified.code, 0, verified.out)
  })
})
