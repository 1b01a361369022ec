// What happens when people and policies change their minds while work is under way.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { removeContent, setContent } from '../banks/bank-store.ts'
import { callStep } from '../db/client.ts'
import { enableAgain } from '../roles/keep-house.ts'
import { alice, bob, createWorld, didOf, textHasher, worldPds } from '../testing/world.ts'
import type { World } from '../testing/world.ts'
import { claimAction, finish } from './act.ts'
import { claimScans, settle } from './scan.ts'
import { decideCase, setPaused } from './withdraw.ts'
import type { CaseVerb } from './withdraw.ts'
import { scanBlob } from '../pipeline.ts'

const labelling = (label: string) => ({
  class: 'open' as const,
  policy: { actions: ['label' as const], label },
})

async function decide(world: World, caseNumber: number, verb: CaseVerb) {
  const { principal } = world
  return decideCase(world.db, { caseNumber, verb, principal, nowMs: world.clock() })
}

async function pause(world: World, on: boolean) {
  const { principal } = world
  await setPaused(world.db, { scope: 'all', on, principal, nowMs: world.clock() })
}

async function actions(world: World): Promise<string[]> {
  const rows = await world.db<{ kind: string; state: string; applied: boolean; val: string }[]>`
    select kind, state, applied, coalesce(' ' || (detail->>'val'), '') as val from action order by id`
  return rows.map((row) => `${row.applied ? '' : 'undo '}${row.kind}${row.val} ${row.state}`)
}

async function cases(world: World): Promise<string[]> {
  return (await world.db<{ state: string }[]>`select state from case_file order by id`).map(
    (row) => row.state,
  )
}

async function outcomes(world: World): Promise<string[]> {
  const rows = await world.db<{ outcome: string; reason: string }[]>`
    select outcome, reason from decision order by id`
  return rows.map((row) => `${row.outcome} ${row.reason}`)
}

test('an overturn undoes what is in force although a newer revision had only been planned', async (t) => {
  const world = await createWorld(t)
  await world.bank('BAD')
  await world.content('BAD', 'one')
  await world.sight([{ did: alice, bytes: 'one' }])
  await world.settle()
  await pause(world, true)
  world.advance(60_000)
  await world.sight([{ did: alice, bytes: 'one' }])
  await world.settle()
  await decide(world, 1, 'overturn')
  await pause(world, false)
  await world.settle()
  assert.deepEqual(await actions(world), [
    'takedown-blob done',
    'takedown-blob superseded',
    'undo takedown-blob done',
  ])
  assert.equal((await world.ledger()).openIntents, 0)
})

test('a label is negated, and its account erased, although a newer revision was refused', async (t) => {
  const world = await createWorld(t)
  await world.bank('SPAM', labelling('spam'))
  await world.content('SPAM', 'one')
  await world.sight([{ did: alice, bytes: 'one', rkey: 'a' }])
  await world.settle()
  world.advance(60_000)
  await world.sight([{ did: alice, bytes: 'one', rkey: 'a' }])
  while ((await world.scanDue()) > 0);
  await world.sequence()
  const claimed = await claimAction(world.db, { kinds: ['label'], nowMs: world.clock() })
  assert.ok(claimed)
  const outcome = { kind: 'refused' as const, reason: 'record-gone' }
  await finish(world.db, { claimed, outcome, nowMs: world.clock(), random: 0 })
  const [account] = await world.db<{ id: number }[]>`select id from account`
  const erase = async () => {
    const payload = { account: account?.id, basis: 'asked', now: new Date(world.clock()) }
    const [row] = await callStep<{ result: string }[]>(world.db, 'erase_account_v1', payload)
    await world.settle()
    return row?.result
  }
  assert.equal(await erase(), 'waiting')
  assert.equal(await erase(), 'erased')
  const labels = await world.db<{ neg: boolean }[]>`select neg from label`
  assert.deepEqual(
    labels.map((label) => label.neg),
    [true],
  )
})

test('a bank that the person did not have before them asks a person again, after a release and after a confirmation', async (t) => {
  for (const verb of ['release', 'confirm'] as const) {
    const world = await createWorld(t)
    await world.bank('SPAM', { mode: 'hold', ...labelling('spam') })
    await world.content('SPAM', 'one')
    await world.sight([{ did: alice, bytes: 'one', rkey: 'a' }])
    await world.settle()
    await decide(world, 1, verb)
    await world.settle()
    world.advance(1000)
    await world.bank('BAD', { mode: 'act' })
    await world.content('BAD', 'one')
    await world.settle()
    assert.deepEqual(await cases(world), ['open'], verb)
    assert.deepEqual((await outcomes(world)).slice(1), ['held another-bank'], verb)
    assert.equal(world.pds.sets.length, 0, verb)
  }
})

test('a content disabled for a time is enabled again, and what came by meanwhile is found', async (t) => {
  const world = await createWorld(t)
  await world.bank('BAD')
  const content = await world.content('BAD', 'one')
  const { db, principal } = world
  const disableUntilTs = Math.ceil(world.clock() / 1000) + 3600
  const change = { bank: 'BAD', content, change: 'set' as const, disableUntilTs }
  await setContent(db, { ...change, principal, nowMs: world.clock() })
  await world.refreshBanks()
  await world.sight([{ did: alice, bytes: 'one', rkey: 'a' }])
  await world.settle()
  assert.deepEqual(await outcomes(world), [])
  world.advance(2 * 3600_000)
  await enableAgain(db, world.clock())
  await world.refreshBanks()
  await world.settle()
  await world.sight([{ did: bob, bytes: 'one', rkey: 'b' }])
  await world.settle()
  assert.deepEqual(await outcomes(world), ['held retroactive', 'acted exact'])
})

test('what a person disabled for good meanwhile is not enabled when its time is over', async (t) => {
  const world = await createWorld(t)
  await world.bank('BAD')
  const content = await world.content('BAD', 'one')
  const { db, principal } = world
  const change = { bank: 'BAD', content, change: 'set' as const, principal }
  await setContent(db, { ...change, disableUntilTs: 0, nowMs: world.clock() })
  // As the house found it due, a moment before the person spoke.
  await setContent(db, {
    ...change,
    disableUntilTs: 1,
    onlyWhenDue: true,
    nowMs: world.clock(),
  })
  const [row] = await db<{ disable_until_ts: number }[]>`
    select disable_until_ts::integer from bank_content where id = ${content}`
  assert.equal(row?.disable_until_ts, 0)
  const [changes] = await db<{ n: number }[]>`
    select count(*)::integer as n from bank_change where op = 'content.set'`
  assert.equal(changes?.n, 1)
})

test('two banks that label one record differently give it both labels', async (t) => {
  const world = await createWorld(t)
  for (const [bank, label, bytes] of [
    ['SPAM', 'spam', 'one'],
    ['GORE', 'gore', 'two'],
  ] as const) {
    await world.bank(bank, labelling(label))
    await world.content(bank, bytes)
  }
  await world.sight([
    { did: alice, bytes: 'one', rkey: 'a' },
    { did: alice, bytes: 'two', rkey: 'a' },
  ])
  await world.settle()
  assert.deepEqual((await actions(world)).toSorted(), ['label gore done', 'label spam done'])
})

test('what matched and was never looked at in full is not clear when it matches no more', async (t) => {
  const asMoving = async (given: Parameters<typeof textHasher.hash>[0]) => ({
    ...(await textHasher.hash(given)),
    unscannable: 'animated' as const,
  })
  const world = await createWorld(t, { hasher: { hash: asMoving } })
  await world.bank('BAD', { mode: 'observe' })
  const content = await world.content('BAD', 'one')
  const verdicts = () => world.db`select verdict, reason, unlooked from blob`
  await world.sight([{ did: alice, bytes: 'one', rkey: 'a' }])
  await world.settle()
  const [matched] = await verdicts()
  assert.deepEqual({ ...matched }, { verdict: 'matched', reason: null, unlooked: 'animated' })
  const { db, principal } = world
  await removeContent(db, { bank: 'BAD', content, principal, nowMs: world.clock() })
  await world.refreshBanks()
  // From what is stored: the bytes are not to be had any more.
  world.hosts.answer(worldPds, { kind: 'unavailable', host: worldPds, reason: 'refused' })
  world.advance(1000)
  await world.sight([{ did: bob, bytes: 'one', rkey: 'b' }])
  await world.settle()
  const [blob] = await verdicts()
  assert.deepEqual({ ...blob }, { verdict: 'unscannable', reason: 'animated', unlooked: null })
})

test('what a removed content still had planned goes to a person instead of leaving day by day', async (t) => {
  const world = await createWorld(t, { limits: { takedownsPerDay: 2 } })
  await world.bank('BAD')
  const content = await world.content('BAD', 'one')
  await world.sight([0, 1, 2, 3].map((n) => ({ did: didOf(n), bytes: 'one' })))
  await world.settle()
  const { db, principal } = world
  await removeContent(db, { bank: 'BAD', content, principal, nowMs: world.clock() })
  await world.refreshBanks()
  world.advance(25 * 3600_000)
  await world.settle()
  assert.equal(world.pds.sets.length, 2)
  const held = await db`select waiting from action where state = 'held'`
  assert.deepEqual(
    held.map((row) => row['waiting']),
    ['no-live-cause', 'no-live-cause'],
  )
  assert.deepEqual(await cases(world), ['open'])
})

test('a record takedown is undone although a decision that never wanted it is still held', async (t) => {
  const world = await createWorld(t)
  await world.bank('BAD', { class: 'open', policy: { actions: ['takedown-record'] } })
  await world.content('BAD', 'one')
  await world.bank('SPAM', { mode: 'hold', ...labelling('spam') })
  await world.content('SPAM', 'two')
  await world.sight([
    { did: alice, bytes: 'one', rkey: 'a' },
    { did: alice, bytes: 'two', rkey: 'a' },
  ])
  await world.settle()
  const [acted] = await world.db<{ id: number }[]>`select id from case_file where state = 'acted'`
  await decide(world, acted?.id ?? 0, 'overturn')
  await world.settle()
  assert.ok((await actions(world)).includes('undo takedown-record done'))
})

test('a worker that ends after an account was erased writes nothing about it', async (t) => {
  const world = await createWorld(t)
  await world.bank('BAD')
  await world.content('BAD', 'one')
  await world.sight([{ did: alice, bytes: 'one', rkey: 'a' }])
  const [job] = await claimScans(world.db, { limit: 1, nowMs: world.clock() })
  assert.ok(job)
  const found = await scanBlob(job, world.pipeline, new AbortController().signal)
  const [account] = await world.db<{ id: number }[]>`select id from account`
  const now = new Date(world.clock())
  await callStep(world.db, 'erase_account_v1', { account: account?.id, basis: 'asked', now })
  await settle(world.db, found)
  await world.settle()
  assert.deepEqual(await outcomes(world), [])
  assert.equal((await world.db`select from ledger_private where account is not null`).length, 0)
})
