import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FatalError } from '../domain/errors.ts'
import { leafHash, makeEntry, noHash } from '../ledger/entry.ts'
import type { EntryFields } from '../ledger/entry.ts'
import { setContent } from '../banks/bank-store.ts'
import { alice, createWorld, didOf, digestOfBytes } from '../testing/world.ts'
import type { World } from '../testing/world.ts'
import { append, leadLedger, waitingIntake } from './append.ts'
import type { AppendEntry, LedgerHead } from './append.ts'
import { decideCase, setPaused } from './withdraw.ts'

const day = 24 * 3600_000

/** The next entry as the sequencer would make it, with one field changed. */
async function nextEntry(
  world: World,
  head: LedgerHead,
  change: Partial<EntryFields> = {},
): Promise<AppendEntry> {
  const [row] = await waitingIntake(world.db, 1)
  assert.ok(row, 'something waits')
  const entry = makeEntry({
    log: head.log,
    seq: head.size,
    atMs: world.clock(),
    prev: head.hash,
    type: row.type,
    idem: row.idem,
    actor: row.actor,
    pub: row.pub,
    com: {},
    ...change,
  })
  return { intake: row.id, text: entry.text, hash: entry.hash }
}

async function states(world: World): Promise<Record<string, number>> {
  const rows = await world.db<{ label: string; n: number }[]>`
    select state || coalesce(' ' || waiting, '') as label, count(*) as n from action group by 1`
  return Object.fromEntries(rows.map((row) => [row.label, row.n]))
}

async function floodCases(world: World): Promise<number[]> {
  const rows = await world.db<{ id: number }[]>`select id from case_file where reason = 'flood'`
  return rows.map(({ id }) => id)
}

/** So many posts of one picture of a bank, each of its own account: two takedowns each. */
async function posts(world: World, count: number, from = 0): Promise<void> {
  await world.sight(
    Array.from({ length: count }, (_, n) => ({
      did: didOf(from + n),
      bytes: 'one',
      rkey: `r${from + n}`,
    })),
  )
  while ((await world.scanDue()) > 0);
}

test('refuses an entry whose hash, link, number or log is not the next one', async (t) => {
  const world = await createWorld(t)
  const head = await leadLedger(world.db, 'world/ledger')
  assert.deepEqual([head.size, head.hash], [0, noHash])
  const good = await nextEntry(world, head)
  // The frontier of a tree with one leaf is that leaf.
  const input = {
    head,
    kept: [],
    nodes: [],
    frontier: good.hash,
    limits: world.limits,
    nowMs: world.clock(),
  }
  const wrong = [
    { ...good, hash: leafHash(Buffer.from('x')) },
    { ...good, text: `${good.text} ` },
    await nextEntry(world, head, { prev: 'ab'.repeat(32) }),
    await nextEntry(world, head, { seq: 1 }),
    await nextEntry(world, head, { log: 'another/log' }),
    { ...good, intake: 99_999 },
  ]
  for (const entry of wrong) {
    await assert.rejects(
      append(world.db, { ...input, entries: [entry] }),
      (error) => error instanceof FatalError && /\(BW002\)/.test(error.message),
    )
  }
  await assert.rejects(
    append(world.db, { ...input, entries: [good], frontier: '' }),
    /the frontier is not one of 1 entries/,
  )
  assert.equal((await world.db`select from ledger_entry`).length, 0)
  assert.equal((await append(world.db, { ...input, entries: [good] })).size, 1)
  // The same batch once more: the head has moved.
  await assert.rejects(append(world.db, { ...input, entries: [good] }), /BW001/)
})

test('refuses a sequencer whose lead has passed on, even with nothing to append', async (t) => {
  const world = await createWorld(t)
  const old = await leadLedger(world.db, 'world/ledger')
  const now = await leadLedger(world.db, 'world/ledger')
  const input = {
    entries: [],
    kept: [],
    nodes: [],
    frontier: '',
    limits: world.limits,
    nowMs: world.clock(),
  }
  await assert.rejects(append(world.db, { ...input, head: old }), /BW001/)
  await assert.rejects(append(world.db, { ...input, head: { ...now, size: 7 } }), /BW001/)
  await append(world.db, { ...input, head: now })
})

test('nobody changes, deletes or empties entries, not even the owner of the tables', async (t) => {
  const world = await createWorld(t)
  await world.sequence()
  const { owner } = world.database
  assert.ok((await world.db`select from ledger_entry`).length > 0)
  for (const db of [owner, world.db]) {
    const refused = { code: db === owner ? 'BW003' : '42501' }
    await assert.rejects(db`update ledger_entry set bytes = '' where seq = 0`, refused)
    await assert.rejects(db`delete from ledger_entry where seq = 0`, refused)
    await assert.rejects(db`truncate ledger_entry`, refused)
    await assert.rejects(db`truncate ledger_entry_0`, refused)
  }
  for (const statement of [
    `insert into ledger_entry (seq, bytes, hash) values (99, '', '')`,
    `insert into ledger_private (seq, field, sealed) values (99, 'x', '')`,
    `insert into ledger_intake (type, actor, pub, idem, at) values ('x', '{}', '{}', 'x', now())`,
    'update ledger_head set size = 0',
    'delete from ledger_private',
    'delete from ledger_intake',
  ]) {
    await assert.rejects(world.db.unsafe(statement), { code: '42501' })
  }
  assert.deepEqual((await world.ledger()).faults, [])
})

test('no action is released before its intent is an entry', async (t) => {
  const world = await createWorld(t)
  await world.bank('BAD')
  await world.content('BAD', 'one')
  await posts(world, 1)
  assert.deepEqual(await states(world), { planned: 2 })
  assert.equal(await world.actDue(), 0)
  await world.sequence()
  const [row] =
    await world.db`select count(*) as n from action where state = 'released' and intent_seq is not null`
  assert.equal(row?.['n'], 2)
  const { documents } = await world.ledger()
  assert.equal(documents.filter((entry) => entry.type === 'action.intent').length, 2)
})

test('releases no more than 200 takedowns in any 24 hours, and labels have their own cap', async (t) => {
  const world = await createWorld(t, { limits: { actionsPerContent: 1_000_000, labelsPerDay: 3 } })
  await world.bank('SPAM', {
    class: 'open',
    policy: { actions: ['takedown-blob', 'takedown-record', 'label'], label: 'spam' },
  })
  await world.content('SPAM', 'one')
  await posts(world, 110)
  await world.settle()
  assert.deepEqual(await states(world), { done: 203, 'planned daily-cap': 127 })
  assert.equal(world.pds.sets.length, 200)
  world.advance(day - 1)
  await world.settle()
  assert.equal(world.pds.sets.length, 200)
  world.advance(2)
  await world.settle()
  assert.deepEqual(await states(world), { done: 226, 'planned daily-cap': 104 })
  assert.equal(world.pds.sets.length, 220)
})

test('what waits for a cap or a pause never stands before what may go', async (t) => {
  const world = await createWorld(t, { limits: { takedownsPerDay: 0, actionsPerContent: 100_000 } })
  await world.bank('BAD')
  await world.content('BAD', 'one')
  await world.bank('SPAM', { class: 'open', policy: { actions: ['label'], label: 'spam' } })
  await world.content('SPAM', 'two')
  await posts(world, 300)
  await world.sequence()
  await world.sight([{ did: alice, bytes: 'two', rkey: 'last' }])
  await world.settle()
  assert.deepEqual(await states(world), { 'planned daily-cap': 600, done: 1 })
})

test('a content that causes more than its limit is held, with what it would still have caused', async (t) => {
  const world = await createWorld(t)
  await world.bank('BAD')
  const content = await world.content('BAD', 'one')
  await world.content('BAD', 'two')
  await posts(world, 40)
  await world.sight([{ did: alice, bytes: 'two', rkey: 'other' }])
  await world.settle()
  assert.deepEqual(await states(world), { done: 52, 'held flood': 30 })
  assert.equal(world.pds.sets.length, 52)
  const held = await world.db<{ id: number }[]>`
    select id from bank_content where held_at is not null`
  assert.deepEqual(
    held.map((row) => row.id),
    [content],
  )
  await posts(world, 3, 100)
  await world.settle()
  assert.equal(world.pds.sets.length, 52, 'what comes later is found and waits')
  const reasons = await world.db`select distinct reason from decision where rkey like 'r10_'`
  assert.deepEqual(
    reasons.map((row) => row['reason']),
    ['flood'],
  )
  const { documents, faults } = await world.ledger()
  const entries = documents.filter((entry) => entry.type === 'content.held')
  const [caseNumber, ...more] = await floodCases(world)
  assert.deepEqual(more, [], 'one case asks a person, however much waits in it')
  assert.deepEqual(
    entries.map((entry) => entry.pub),
    [{ content, reason: 'flood', limit: 50, case: caseNumber }],
  )
  assert.deepEqual(faults, [])
})

test('a content that a person lets go on acts again, under a limit that counts anew', async (t) => {
  const world = await createWorld(t)
  await world.bank('BAD')
  const content = await world.content('BAD', 'one')
  await posts(world, 40)
  await world.settle()
  assert.equal(world.pds.sets.length, 50)
  world.advance(1000)
  const { principal } = world
  await setContent(world.db, {
    bank: 'BAD',
    content,
    change: 'resume',
    principal,
    nowMs: world.clock(),
  })
  await world.refreshBanks()
  await posts(world, 20, 200)
  await world.settle()
  assert.equal(world.pds.sets.length, 90, 'both takedowns of each new post')
  await posts(world, 20, 300)
  await world.settle()
  assert.equal(world.pds.sets.length, 100, 'and no more than the limit')
})

test('what a person confirmed passes the flood limit, but not the daily cap', async (t) => {
  const world = await createWorld(t, { limits: { takedownsPerDay: 60 } })
  await world.bank('BAD', { mode: 'hold' })
  await world.content('BAD', 'one')
  await posts(world, 40)
  await world.settle()
  assert.deepEqual(await states(world), { 'held bank-hold': 80 })
  const [row] = await world.db<{ id: number }[]>`select id from case_file`
  await decideCase(world.db, {
    caseNumber: row?.id ?? 0,
    verb: 'confirm',
    principal: world.principal,
    nowMs: world.clock(),
  })
  await world.settle()
  assert.deepEqual(await states(world), { done: 60, 'planned daily-cap': 20 })
  assert.equal((await world.db`select from bank_content where held_at is not null`).length, 0)
})

test('an action held by a flood and then confirmed has one intent in the ledger', async (t) => {
  const world = await createWorld(t, { limits: { actionsPerContent: 0 } })
  await world.bank('BAD')
  await world.content('BAD', 'one')
  await posts(world, 1)
  await world.settle()
  assert.deepEqual(await states(world), { 'held flood': 2 })
  const [row] = await world.db<{ id: number }[]>`select id from case_file`
  await decideCase(world.db, {
    caseNumber: row?.id ?? 0,
    verb: 'confirm',
    principal: world.principal,
    nowMs: world.clock(),
  })
  await world.settle()
  assert.deepEqual(await states(world), { done: 2 })
  const { documents, faults } = await world.ledger()
  assert.deepEqual(faults, [])
  assert.equal(documents.filter((entry) => entry.type === 'action.intent').length, 2)
})

test('a pause stops all, one bank or one kind, before release and after it, until it is resumed', async (t) => {
  const world = await createWorld(t)
  const bad = await world.bank('BAD')
  await world.content('BAD', 'one')
  await world.bank('WORSE')
  await world.content('WORSE', 'two')
  const pause = (scope: Parameters<typeof setPaused>[1] extends infer P ? P : never) =>
    setPaused(world.db, scope)
  const by = { principal: world.principal, nowMs: world.clock() }

  assert.equal(await pause({ scope: 'all', on: true, ...by }), true)
  assert.equal(await pause({ scope: 'all', on: true, ...by }), false)
  await world.sight([{ did: alice, bytes: 'one', rkey: 'a' }])
  await world.settle()
  assert.deepEqual(await states(world), { 'planned paused': 2 })
  assert.equal(await pause({ scope: 'all', on: false, ...by }), true)
  await world.sequence()
  assert.deepEqual(await states(world), { released: 2 })

  await pause({ scope: 'kind', kind: 'takedown-record', on: true, ...by })
  await pause({ scope: 'bank', bank: bad, on: true, ...by })
  assert.equal(await world.actDue(), 0, 'released actions do not leave either')
  await world.sight([{ did: alice, bytes: 'two', rkey: 'b' }])
  await world.settle()
  assert.deepEqual(await states(world), { released: 2, done: 1, 'planned paused': 1 })
  await pause({ scope: 'kind', kind: 'takedown-record', on: false, ...by })
  await world.settle()
  assert.deepEqual(await states(world), { released: 2, done: 2 })
  await pause({ scope: 'bank', bank: bad, on: false, ...by })
  await world.settle()
  assert.deepEqual(await states(world), { done: 4 })
  const types = (await world.ledger()).documents.map((entry) => entry.type)
  assert.equal(types.filter((type) => type === 'actions.paused').length, 3)
  assert.equal(types.filter((type) => type === 'actions.resumed').length, 3)
})

test('an action that a paused and an unpaused bank caused may leave', async (t) => {
  const world = await createWorld(t)
  const bad = await world.bank('BAD')
  await world.content('BAD', 'one')
  await world.bank('WORSE')
  await world.content('WORSE', 'one')
  await setPaused(world.db, {
    scope: 'bank',
    bank: bad,
    on: true,
    principal: world.principal,
    nowMs: world.clock(),
  })
  await posts(world, 1)
  await world.settle()
  assert.deepEqual(await states(world), { done: 2 })
})

test('the time of entries never runs back, whichever clock the next sequencer has', async (t) => {
  const world = await createWorld(t)
  await world.sequence()
  world.advance(60_000)
  await world.bank('FIRST')
  await world.sequence()
  for (const back of [-40_000, 5_000]) {
    world.advance(back)
    await world.bank(`NEXT${'X'.repeat(back > 0 ? 2 : 1)}`)
    await world.sequence()
  }
  const { faults, entries } = await world.ledger()
  assert.deepEqual(faults, [])
  assert.ok(entries >= 4)
})

test('the intent and the result of an action stopped at once are both linked to it', async (t) => {
  const world = await createWorld(t)
  await world.bank('BAD', { mode: 'hold' })
  await world.content('BAD', 'one')
  await posts(world, 1)
  const decide = (verb: 'confirm' | 'overturn') =>
    decideCase(world.db, { caseNumber: 1, verb, principal: world.principal, nowMs: world.clock() })
  await decide('confirm')
  await decide('overturn')
  await world.settle()
  const rows = await world.db<{ state: string; linked: boolean }[]>`
    select state, intent_seq is not null and result_seq is not null as linked from action`
  assert.deepEqual(
    rows.map((row) => [row.state, row.linked]),
    [
      ['superseded', true],
      ['superseded', true],
    ],
  )
  assert.equal(world.pds.sets.length, 0)
  assert.equal((await world.ledger()).openIntents, 0)
})

test('what the ledger shows of a decision names no account, blob or record', async (t) => {
  const world = await createWorld(t)
  await world.bank('BAD')
  await world.content('BAD', 'one')
  await posts(world, 1)
  await world.settle()
  const { documents, commitments } = await world.ledger()
  const text = JSON.stringify(documents)
  for (const secret of [didOf(0), digestOfBytes('one'), 'r0"', 'BAD', 'erin'])
    assert.ok(!text.includes(secret), secret)
  assert.ok(commitments.opened > 5)
  assert.equal(commitments.erased, 0)
})
