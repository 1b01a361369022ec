import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { findEntries, findLimits, seqAtTime } from '../ledger/find-entries.ts'
import { testDatabase } from '../testing/database.ts'
import { commandLine } from './run-in-test.ts'
import { digestOfText, enter, see, testDataKey, testDid } from './seed-in-test.ts'

const database = await testDatabase()
const blobwatch = await commandLine(database)
const env = { BLOBWATCH_DATA_KEY: testDataKey }
const otherDid = `did:plc:${'c'.repeat(24)}`

type Shown = {
  entries: { seq: number; t: string; type: string; pub: Record<string, unknown> }[]
  more: boolean
  next: number | null
}

async function log(...words: string[]): Promise<Shown> {
  const ran = await blobwatch(['ledger', 'log', '--limit', '100', ...words, '--json'], { env })
  assert.equal(ran.code, 0, ran.err)
  return ran.json() as Shown
}
const typesOf = ({ entries }: Shown) => entries.map((entry) => entry.type)

await blobwatch(['bank', 'create', 'SPAM', '--class', 'open', '--mode', 'hold'])
await blobwatch(['bank', 'create', 'OTHER', '--class', 'open', '--mode', 'act'])
await blobwatch(['bank', 'add', 'SPAM', '--sha256', digestOfText('one')])
await blobwatch(['bank', 'add', 'OTHER', '--sha256', digestOfText('two')])
const one = await see(database, { text: 'one', rkey: '1', mode: 'act' })
await enter(database)
const two = await see(database, { text: 'two', rkey: '2', did: otherDid, mode: 'act' })
await blobwatch(['case', 'confirm', '1'], { env: { BLOBWATCH_PRINCIPAL: 'erin' } })
await enter(database)
const all = await log()

describe('ledger log filters', () => {
  test('by type, by several types and by how a type begins', async () => {
    assert.deepEqual(typesOf(await log('--type', 'case.confirm')), ['case.confirm'])
    assert.deepEqual(typesOf(await log('--type', 'bank.create', 'case.confirm')), [
      'bank.create',
      'bank.create',
      'case.confirm',
    ])
    const begins = all.entries.filter((entry) => entry.type.startsWith('case.'))
    assert.ok(begins.length >= 3)
    assert.deepEqual((await log('--type', 'case.*')).entries, begins)
    assert.deepEqual((await log('--grep', 'case.')).entries, begins)
  })

  test('by case: its own entries, its decisions, and the intents and results of their actions', async () => {
    const { entries } = await log('--case', '1', '--oldest-first')
    assert.deepEqual(entries.map((entry) => entry.type).toSorted(), [
      'action.intent',
      'action.intent',
      'case.confirm',
      'case.opened',
      'decision',
      'feedback.given',
    ])
    const decision = entries.find((entry) => entry.type === 'decision')?.pub['decision']
    for (const entry of entries) {
      if (entry.type === 'action.intent') assert.equal(entry.pub['decision'], decision)
      else assert.equal(entry.pub['case'], 1)
    }
  })

  test('by bank, by action and by who did it', async () => {
    const ofBank = (await log('--bank', 'OTHER')).entries
    assert.deepEqual(
      ofBank.map((entry) => entry.type),
      ['bank.create', 'content.add', 'decision'],
    )
    const action = all.entries.find((entry) => entry.type === 'action.intent')?.pub['action']
    assert.deepEqual(typesOf(await log('--action', String(action))), ['action.intent'])
    assert.ok(typesOf(await log('--actor', 'erin')).includes('case.confirm'))
    assert.ok(!typesOf(await log('--actor', 'tester')).includes('case.confirm'))
    const system = typesOf(await log('--actor', 'system'))
    assert.ok(system.includes('decision') && !system.includes('bank.create'))
  })

  test('by account, record and blob, which only the data key can find', async () => {
    for (const subject of [testDid, one.uri, one.cid]) {
      const { entries } = await log('--subject', subject)
      assert.ok(
        entries.some((entry) => entry.type === 'decision'),
        subject,
      )
      assert.ok(
        entries.every((entry) => entry.pub['case'] !== 2),
        'nothing of another account',
      )
    }
    assert.equal((await log('--subject', otherDid, '--case', '1')).entries.length, 0)
    assert.equal((await log('--subject', `did:plc:${'z'.repeat(24)}`)).entries.length, 0)
    const blind = await blobwatch(['ledger', 'log', '--subject', two.cid])
    assert.equal(blind.code, 2)
    assert.match(blind.err, /no data key/)
  })

  test('by time, found by bisection: the two halves are the whole', async () => {
    const middle = all.entries[Math.floor(all.entries.length / 2)]!
    const before = await log('--until', middle.t)
    const after = await log('--since', middle.t)
    assert.ok(before.entries.length > 0 && after.entries.length > 0)
    assert.deepEqual([...before.entries, ...after.entries], all.entries)
    assert.ok(before.entries.every((entry) => entry.t < middle.t))
    assert.equal((await log('--since', '24h')).entries.length, all.entries.length)
    assert.equal((await log('--until', '24h')).entries.length, 0)
  })

  test('pages from both ends with --before and --after, each entry once', async () => {
    for (const [words, step] of [
      [[], '--before'],
      [['--oldest-first'], '--after'],
    ] as const) {
      const seen: number[] = []
      let next: number | null = null
      do {
        const from: string[] = next === null ? [] : [step, String(next)]
        const page: Shown = await log('--limit', '4', ...words, ...from)
        seen.push(...page.entries.map((entry) => entry.seq))
        next = page.next
      } while (next !== null)
      assert.deepEqual(
        seen.toSorted((a, b) => a - b),
        all.entries.map((entry) => entry.seq),
      )
    }
    const newest = await log('--newest')
    assert.deepEqual(newest.entries.toReversed(), all.entries)
  })

  test('a search through many windows finds the same as one through the whole', async () => {
    const test = { needles: ['"type":"case.'], seqs: new Set<number>(), test: () => true }
    const size = all.entries.length
    const found = await findEntries(database.app, {
      range: { from: -3 * findLimits.window, to: size + 2 * findLimits.window },
      conditions: [test],
      limit: 100,
      order: 'oldest',
    })
    assert.deepEqual(
      found.map((entry) => entry.seq),
      all.entries.filter((entry) => entry.type.startsWith('case.')).map((entry) => entry.seq),
    )
    assert.equal(await seqAtTime(database.app, new Date('2100-01-01'), size), size)
    assert.equal(await seqAtTime(database.app, new Date(0), size), 0)
  })

  test('a window with more candidates than asked for is gone through to its end', async () => {
    const cases = all.entries.filter((entry) => entry.type.startsWith('case.'))
    const conditions = [
      {
        needles: ['"v":1'],
        seqs: new Set<number>(),
        test: ({ type }: { type: string }) => type.startsWith('case.'),
      },
    ]
    for (const order of ['oldest', 'newest'] as const) {
      const found = await findEntries(database.app, {
        range: { from: 0, to: all.entries.length },
        conditions,
        limit: 2,
        order,
      })
      const wanted = order === 'oldest' ? cases.slice(0, 2) : cases.toReversed().slice(0, 2)
      assert.deepEqual(
        found.map((entry) => entry.seq),
        wanted.map((entry) => entry.seq),
      )
    }
  })

  test('--follow keeps to what was asked for, also by account', async () => {
    const stop = new AbortController()
    const shownBefore = Promise.withResolvers<void>()
    const following = blobwatch(
      ['ledger', 'log', '--follow', '--limit', '1', '--subject', testDid, '--json'],
      {
        env,
        stop: stop.signal,
        onOut: (text) => {
          shownBefore.resolve()
          if (text.includes('"content":1') || text.includes('"outcome":"acted"')) stop.abort()
        },
      },
    )
    // What comes before it has looked is not what it follows.
    await Promise.race([shownBefore.promise, following])
    await see(database, { text: 'two', rkey: '9', did: otherDid, mode: 'act' })
    await see(database, { text: 'one', rkey: '8', mode: 'act' })
    await enter(database)
    const { out } = await following
    const entries = out.split('\n').map((line) => JSON.parse(line) as Shown['entries'][number])
    assert.ok(entries.length >= 2)
    const decided = entries.filter((entry) => entry.type === 'decision')
    assert.deepEqual(
      decided.map((entry) => entry.pub['bank']),
      decided.map(() => 'b1'),
    )
  })

  test('refuses with a sentence what contradicts itself or cannot be read', async () => {
    for (const words of [
      ['--type', 'NOT A TYPE'],
      ['--since', 'yesterday'],
      ['--bank', 'NONE'],
      ['--case', '99'],
      ['--actor', 'nobody'],
      ['--subject', 'alice.example.com'],
      ['--after', '3'],
      ['--newest', '--oldest-first'],
      ['--follow', '--until', '1h'],
    ]) {
      const { code, err } = await blobwatch(['ledger', 'log', ...words], { env })
      assert.equal(code, 2, words.join(' '))
      assert.ok(err.includes(' '))
    }
  })
})
