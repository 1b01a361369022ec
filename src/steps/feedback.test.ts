// A person's word about a picture: kept about each content behind the match, and acting on nothing by itself.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createBank } from '../banks/bank-store.ts'
import { caseContents, listFeedback } from '../cases/feedback.ts'
import { callStep } from '../db/client.ts'
import { UsageError } from '../domain/errors.ts'
import { alice, bob, createWorld, digestOfBytes } from '../testing/world.ts'
import type { World } from '../testing/world.ts'
import { giveFeedback } from './feedback.ts'
import { decideCase } from './withdraw.ts'
import type { CaseVerb, ContentChange } from './withdraw.ts'

async function decide(world: World, verb: CaseVerb, change?: ContentChange, caseNumber = 1) {
  const { principal } = world
  const nowMs = world.clock()
  return decideCase(world.db, { caseNumber, verb, principal, nowMs, ...(change && { change }) })
}

/** A picture that waits for a person because a content of each bank matches it. */
async function held(t: Parameters<typeof createWorld>[0], banks = ['BAD']) {
  const world = await createWorld(t)
  const contents: number[] = []
  for (const bank of banks) {
    await world.bank(bank, { mode: 'hold' })
    contents.push(await world.content(bank, 'one'))
  }
  await world.sight([{ did: alice, bytes: 'one', rkey: 'a' }])
  await world.settle()
  return { world, contents }
}

async function said(world: World): Promise<string[]> {
  const rows = await listFeedback(world.db, { limit: 100, offset: 0 })
  return rows.toReversed().map((row) => `${row.verdict} ${row.bank ?? 'no bank'} ${row.content}`)
}

async function reviewed(world: World): Promise<(string | null)[]> {
  const rows = await world.db<{ reviewed: string | null }[]>`
    select reviewed from bank_content order by id`
  return rows.map((row) => row.reviewed)
}

async function disabled(world: World): Promise<number[]> {
  const rows = await world.db<{ until: number }[]>`
    select disable_until_ts as until from bank_content order by id`
  return rows.map((row) => row.until)
}

async function caseStates(world: World): Promise<string[]> {
  const rows = await world.db<{ state: string }[]>`select state from case_file order by id`
  return rows.map((row) => row.state)
}

test('a decision is kept as feedback about every content that counted, and a contrary one replaces the mark', async (t) => {
  const { world, contents } = await held(t, ['BAD', 'WORSE'])
  const [one, two] = contents
  assert.equal((await decide(world, 'confirm')).feedback, 2)
  assert.deepEqual(await said(world), [`harmful BAD ${one}`, `harmful WORSE ${two}`])
  assert.deepEqual(await reviewed(world), ['confirmed', 'confirmed'])
  await decide(world, 'overturn')
  assert.deepEqual((await said(world)).slice(2), [
    `not-harmful BAD ${one}`,
    `not-harmful WORSE ${two}`,
  ])
  assert.deepEqual(await reviewed(world), ['deconfirmed', 'deconfirmed'])
  assert.deepEqual(await disabled(world), [1, 1], 'nothing is disabled because of it')
  const behind = await caseContents(world.db, 1, 10)
  assert.deepEqual(
    behind.map((row) => [row.content, row.bank, row.blobs, row.reviewed]),
    [
      [one, 'BAD', 1, 'deconfirmed'],
      [two, 'WORSE', 1, 'deconfirmed'],
    ],
  )
})

test('a match that was set aside is no part of what was reviewed', async (t) => {
  const { world, contents } = await held(t, ['BAD', 'WORSE'])
  await world.database.owner`
    update match set set_aside = 'ratio' where content = ${contents[1] ?? 0}`
  await decide(world, 'release')
  assert.deepEqual(await said(world), [`not-harmful BAD ${contents[0]}`])
  assert.deepEqual(await reviewed(world), ['deconfirmed', null])
})

test('a release disables the content behind it in the same step, and only where it is told to', async (t) => {
  const { world } = await held(t)
  const until = Math.ceil(world.clock() / 1000) + 3600
  const { changed } = await decide(world, 'release', { disableUntilTs: until })
  assert.deepEqual([changed, await disabled(world)], [[1], [until]])
  await world.settle()
  const { documents, faults } = await world.ledger()
  assert.deepEqual(faults, [])
  assert.ok(documents.some(({ type, pub }) => type === 'content.set' && pub['content'] === 1))
  await world.refreshBanks()
  await world.sight([{ did: bob, bytes: 'one', rkey: 'b' }])
  await world.settle()
  assert.equal((await world.db`select from decision`).length, 1)
})

test('of several contents a person says which were wrong, or nothing is decided', async (t) => {
  const { world, contents } = await held(t, ['BAD', 'WORSE'])
  const [, two] = contents
  await assert.rejects(decide(world, 'release', { disableUntilTs: 0 }), UsageError)
  await assert.rejects(decide(world, 'release', { disableUntilTs: 0, contents: [99] }), UsageError)
  assert.deepEqual([await said(world), await caseStates(world)], [[], ['open']])
  await decide(world, 'release', { disableUntilTs: 0, contents: [two ?? 0] })
  assert.deepEqual(await disabled(world), [1, 0])
})

test('a confirmation moves the content to another bank, which decides no case anew', async (t) => {
  const { world } = await held(t)
  await world.bank('CONFIRMED', { mode: 'act' })
  const { changed } = await decide(world, 'confirm', { moveTo: 'CONFIRMED' })
  await world.refreshBanks()
  await world.settle()
  assert.deepEqual(changed, [2])
  assert.deepEqual(await reviewed(world), ['confirmed', 'confirmed'])
  assert.deepEqual(await caseStates(world), ['confirmed'])
  assert.equal(world.pds.takenDown().length, 2)
  await world.sight([{ did: bob, bytes: 'one', rkey: 'b' }])
  await world.settle()
  assert.equal(world.pds.takenDown().length, 4)
  assert.deepEqual(await caseStates(world), ['confirmed'])
  await decide(world, 'overturn', { disableUntilTs: 0 })
  assert.deepEqual(await said(world), ['harmful BAD 1', 'not-harmful CONFIRMED 2'])
  assert.deepEqual(await disabled(world), [1, 0])
  const rows = await listFeedback(world.db, { content: 1, limit: 10, offset: 0 })
  assert.equal(rows.length, 2, 'what it was before is found by either number')
})

test('what may not be moved is not moved, and then nothing is decided', async (t) => {
  const { world } = await held(t)
  const { db, principal } = world
  const nowMs = world.clock()
  await createBank(db, { name: 'OPEN', mode: 'act', class: 'open', principal, nowMs })
  await world.database.owner`update bank set confidential = true where name = 'BAD'`
  await assert.rejects(decide(world, 'confirm', { moveTo: 'OPEN' }), UsageError)
  await assert.rejects(decide(world, 'confirm', { moveTo: 'NOWHERE' }), UsageError)
  assert.deepEqual([await said(world), await caseStates(world)], [[], ['open']])
  assert.deepEqual((await decide(world, 'confirm', { moveTo: 'BAD' })).changed, [])
})

test('a picture is called harmful without a bank, and a match of it wrong; said again it is not said twice', async (t) => {
  const { world, contents } = await held(t, ['BAD', 'WORSE'])
  const { db, principal } = world
  const say = (blob: string, verdict: 'harmful' | 'not-harmful', content?: number, note?: string) =>
    giveFeedback(db, {
      blob: digestOfBytes(blob),
      verdict,
      ...(content !== undefined && { content }),
      ...(note !== undefined && { note }),
      principal,
      nowMs: world.clock(),
    })
  assert.deepEqual(await say('two', 'harmful'), { feedback: 1, content: null, given: true })
  assert.equal((await say('two', 'harmful')).given, false)
  assert.equal((await say('two', 'harmful', undefined, 'seen twice')).given, true)
  await assert.rejects(say('two', 'not-harmful'), /nothing matched this blob/)
  await assert.rejects(say('one', 'not-harmful'), /contents 1, 2 matched/)
  await assert.rejects(say('two', 'harmful', 1), /did not match/)
  assert.equal((await say('one', 'not-harmful', contents[1])).content, contents[1])
  assert.deepEqual(await reviewed(world), [null, 'deconfirmed'])
  await say('one', 'harmful', contents[1])
  assert.deepEqual(await reviewed(world), [null, 'confirmed'])
  assert.equal((await said(world)).length, 4)
  assert.equal((await world.db`select from action where state <> 'held'`).length, 0)
})

test('the ledger tells ids, and neither the picture nor the words', async (t) => {
  const { world } = await held(t)
  const { db, principal } = world
  const nowMs = world.clock()
  await decideCase(db, { caseNumber: 1, verb: 'release', principal, note: 'SECRET WORDS', nowMs })
  const blob = digestOfBytes('one')
  await giveFeedback(db, { blob, verdict: 'harmful', note: 'SECRET WORDS', principal, nowMs })
  await world.settle()
  const { documents, faults } = await world.ledger()
  assert.deepEqual(faults, [])
  const given = documents.filter(({ type }) => type === 'feedback.given')
  assert.deepEqual(
    given.map(({ pub }) => pub),
    [
      { bank: 'b1', blobs: 1, case: 1, content: 1, verdict: 'not-harmful' },
      { feedback: 2, verdict: 'harmful' },
    ],
  )
  assert.doesNotMatch(JSON.stringify(given), new RegExp(`SECRET|${blob}|BAD`))
})

test('an older process that decides in its own words is kept as feedback too', async (t) => {
  const { world } = await held(t)
  const payload = {
    case: 1,
    verb: 'confirm',
    principal: world.principal,
    now: new Date(world.clock()),
  }
  const rows = await callStep<object[]>(world.db, 'decide_case_v1', payload)
  assert.deepEqual(rows, [{ state: 'confirmed', actions: 2, subjects: 1 }])
  assert.deepEqual(await said(world), ['harmful BAD 1'])
})

test('an overturn tells what stays because another case of the same record wants it', async (t) => {
  const world = await createWorld(t)
  await world.bank('BAD')
  await world.content('BAD', 'one')
  await world.content('BAD', 'two')
  await world.sight([
    { did: alice, bytes: 'one', rkey: 'a' },
    { did: alice, bytes: 'two', rkey: 'a' },
  ])
  await world.settle()
  const first = await decide(world, 'overturn')
  assert.deepEqual([first.actions, first.stays, first.wantedBy], [1, 1, [2]])
  const second = await decide(world, 'overturn', undefined, 2)
  assert.deepEqual([second.actions, second.stays, second.wantedBy], [2, 0, []])
  await world.settle()
  assert.deepEqual(world.pds.takenDown(), [])
})
