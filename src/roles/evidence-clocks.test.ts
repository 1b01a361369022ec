import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PermanentError, UsageError } from '../domain/errors.ts'
import { storeAway } from '../evidence/vault-in-test.ts'
import { callStep } from '../db/client.ts'
import { openEvidence } from '../evidence/vault.ts'
import { askToDestroy, decideDestroy } from '../steps/evidence.ts'
import { alice, bob } from '../testing/world.ts'
import { evidenceWorld } from './evidence-in-test.ts'
import type { EvidenceWorld } from './evidence-in-test.ts'

const dayMs = 24 * 3600_000

async function withOne(t: Parameters<typeof evidenceWorld>[0]) {
  const world = await evidenceWorld(t)
  await world.content('BAD', 'one')
  await world.sight([{ did: alice, bytes: 'one', rkey: 'a' }])
  await world.settle()
  const [row] = await world.rows()
  assert.ok(row)
  return { world, row }
}

const here = (world: EvidenceWorld) => [...world.store.objects.keys()].toSorted()

test('nothing goes before its time', async (t) => {
  const { world } = await withOne(t)
  for (const days of [0, 15, 14.9]) {
    world.advance(days * dayMs)
    assert.deepEqual((await world.sweep()).ended, [])
  }
  assert.equal(here(world).length, 2)
})

test('after thirty days the working copy goes, after a year the sealed one, each with its entry', async (t) => {
  const { world, row } = await withOne(t)
  world.advance(30 * dayMs)
  assert.deepEqual((await world.sweep()).ended, [{ basis: 'clock' }])
  assert.deepEqual(here(world), [row.sealed_object])
  assert.deepEqual((await world.sweep()).ended, [])
  world.advance(334 * dayMs)
  assert.deepEqual((await world.sweep()).ended, [])
  world.advance(2 * dayMs)
  assert.deepEqual((await world.sweep()).ended, [{ basis: 'clock' }])
  assert.deepEqual(here(world), [])
  const told = (await world.entries('evidence.destroyed')).map(({ pub, actor }) => ({
    ...pub,
    actor,
  }))
  const same = { evidence: row.id, case: row.case_file, method: 'file-removed', basis: 'clock' }
  assert.deepEqual(told, [
    { ...same, copies: ['working'], actor: { kind: 'system' } },
    { ...same, copies: ['sealed'], actor: { kind: 'system' } },
  ])
})

test('a confirmed case starts the year anew, and its working copy goes when nothing is left to do', async (t) => {
  const { world, row } = await withOne(t)
  world.advance(20 * dayMs)
  await world.caseState(row.case_file, 'confirmed')
  assert.deepEqual((await world.sweep()).ended, [{ basis: 'case-finished' }])
  world.advance(350 * dayMs)
  assert.deepEqual((await world.sweep()).ended, [], 'kept 370 days ago, confirmed 350 days ago')
  world.advance(16 * dayMs)
  assert.deepEqual((await world.sweep()).ended, [{ basis: 'clock' }])
})

test('while a confirmed takedown is on its way the working copy stays', async (t) => {
  const { world, row } = await withOne(t)
  await world.caseState(row.case_file, 'confirmed')
  const { owner } = world.database
  await owner`update action set state = 'dead'`
  assert.deepEqual((await world.sweep()).ended, [])
  await owner`update action set state = 'done'`
  assert.deepEqual((await world.sweep()).ended, [{ basis: 'case-finished' }])
})

for (const state of ['released', 'overturned']) {
  test(`a ${state} case takes both copies with the next sweep`, async (t) => {
    const { world, row } = await withOne(t)
    await world.caseState(row.case_file, state)
    assert.deepEqual((await world.sweep()).ended, [{ basis: `case-${state}` }])
    assert.deepEqual(here(world), [])
    const [entry] = await world.entries('evidence.destroyed')
    assert.deepEqual(entry?.pub['copies'], ['sealed', 'working'])
    const [after] = await world.rows()
    assert.deepEqual([after?.state, after?.reason], ['destroyed', `case-${state}`])
  })
}

test('a legal hold of the account or the case stops every clock, and lets go where it is lifted', async (t) => {
  const { world, row } = await withOne(t)
  const { owner } = world.database
  await world.holdAccount(row.account)
  await world.caseState(row.case_file, 'released')
  world.advance(800 * dayMs)
  assert.deepEqual((await world.sweep()).ended, [])
  await world.liftHolds()
  await owner`insert into legal_hold (case_file, reason, principal, at) values (${row.case_file}, 'x', ${world.principal}, now())`
  assert.deepEqual((await world.sweep()).ended, [])
  assert.equal(here(world).length, 2)
  await world.liftHolds()
  assert.equal((await world.sweep()).ended.length, 1)
})

test('a store that is away keeps what was due, and the next sweep after it is back takes it once', async (t) => {
  const { world, row } = await withOne(t)
  await world.caseState(row.case_file, 'released')
  world.store.fail(storeAway)
  assert.deepEqual((await world.sweep()).ended, [])
  assert.deepEqual(
    await world.entries('evidence.destroyed'),
    [],
    'nothing is said that did not happen',
  )
  assert.equal(world.failures.length, 1)
  world.store.fail(undefined)
  world.advance(6 * 60_000)
  assert.equal((await world.sweep()).ended.length, 1)
  assert.equal((await world.entries('evidence.destroyed')).length, 1)
})

test('one file that the store refuses for good does not keep the others', async (t) => {
  const world = await evidenceWorld(t)
  await world.content('BAD', 'one')
  await world.sight([
    { did: alice, bytes: 'one', rkey: 'a' },
    { did: bob, bytes: 'one', rkey: 'b' },
  ])
  await world.settle()
  const [first] = await world.rows()
  await world.caseState(first?.case_file ?? 0, 'released')
  const remove = world.store.remove.bind(world.store)
  world.store.remove = async (name, signal) => {
    if (name === first?.working_object) throw new PermanentError('no')
    return remove(name, signal)
  }
  assert.equal((await world.sweep()).ended.length, 1)
})

test('two sweeps at once destroy once', async (t) => {
  const { world, row } = await withOne(t)
  await world.caseState(row.case_file, 'released')
  const sweeps = await Promise.all([world.sweep(), world.sweep(), world.sweep()])
  assert.equal(sweeps.flatMap(({ ended }) => ended).length, 1)
  assert.equal((await world.entries('evidence.destroyed')).length, 1)
})

test('what was begun under no hold is not gone on with under one', async (t) => {
  const { world, row } = await withOne(t)
  await world.caseState(row.case_file, 'released')
  world.store.fail(storeAway)
  await world.sweep()
  world.store.fail(undefined)
  await world.holdAccount(row.account)
  world.advance(dayMs)
  assert.deepEqual((await world.sweep()).ended, [])
  assert.equal(here(world).length, 2)
})

test('after its evidence was destroyed the same blob is kept anew', async (t) => {
  const { world, row } = await withOne(t)
  await world.caseState(row.case_file, 'released')
  await world.sweep()
  await world.caseState(row.case_file, 'confirmed')
  world.advance(1000)
  await world.sight([{ did: alice, bytes: 'one', rkey: 'b' }])
  await world.settle()
  const rows = await world.rows()
  assert.deepEqual(
    rows.map(({ state }) => state),
    ['destroyed', 'kept'],
  )
})

test('before the clock one asks and another approves; the one who asked cannot', async (t) => {
  const { world, row } = await withOne(t)
  const { db } = world
  const nowMs = world.clock()
  const ask = { evidence: row.id, reason: 'asked by police', authority: 'LKA 44', nowMs }
  const mallory = await world.person('mallory')
  const { request } = await askToDestroy(db, { ...ask, principal: mallory })
  assert.deepEqual(await askToDestroy(db, { ...ask, principal: mallory }), {
    request,
    asked: false,
  })
  const approve = { request, verb: 'approve' as const, nowMs }
  await assert.rejects(decideDestroy(db, { ...approve, principal: mallory }), UsageError)
  const muchLater = { ...approve, nowMs: nowMs + 400 * dayMs, principal: mallory }
  await assert.rejects(decideDestroy(db, muchLater), /is your own/)
  assert.deepEqual((await world.sweep()).ended, [])

  const trent = await world.person('trent')
  const decided = await decideDestroy(db, { ...approve, principal: trent })
  assert.deepEqual(decided, { evidence: row.id, changed: true })
  assert.deepEqual((await world.sweep()).ended, [{ basis: 'authority' }])
  assert.deepEqual(here(world), [])
  const [asked] = await world.entries('evidence.destroy-asked')
  assert.deepEqual(Object.keys(asked?.com ?? {}), ['authority', 'reason'])
  const [destroyed] = await world.entries('evidence.destroyed')
  assert.deepEqual(
    [destroyed?.actor, destroyed?.pub['request'], destroyed?.pub['askedBy']],
    [{ kind: 'person', principal: trent }, request, mallory],
  )
})

test('a machine does not approve, a rejected request destroys nothing, and a legal hold stands above both people', async (t) => {
  const { world, row } = await withOne(t)
  const { db } = world
  const nowMs = world.clock()
  const { owner } = world.database
  const ask = { evidence: row.id, reason: 'r', authority: 'a', principal: world.principal, nowMs }
  const trent = await world.person('trent')
  const [system] = await owner<{ id: number }[]>`
    insert into principal (kind, name, created_at) values ('service', 'robot', now()) returning id`
  const first = await askToDestroy(db, ask)
  const decide = (request: number, verb: 'approve' | 'reject', principal: number) =>
    decideDestroy(db, { request, verb, principal, nowMs })
  await assert.rejects(decide(first.request, 'approve', system?.id ?? 0), /only a person/)
  await decide(first.request, 'reject', trent)
  assert.equal((await decide(first.request, 'reject', trent)).changed, false)
  await assert.rejects(decide(first.request, 'approve', trent), /is rejected already/)

  const second = await askToDestroy(db, ask)
  await world.holdAccount(row.account)
  await assert.rejects(decide(second.request, 'approve', trent), /legal hold/)
  await assert.rejects(askToDestroy(db, ask), /legal hold/)
  assert.deepEqual((await world.sweep()).ended, [])
  assert.equal(here(world).length, 2)
})

test('an account that is erased leaves its evidence, which then names it in the sealed files alone', async (t) => {
  const { world, row } = await withOne(t)
  const { owner } = world.database
  const erase = { account: row.account, basis: 'test', now: new Date(world.clock()) }
  const [erased] = await callStep<{ result: string }[]>(world.db, 'erase_account_v1', erase)
  assert.equal(erased?.result, 'erased')
  await world.sequence()
  const tables = await owner<{ name: string }[]>`
    select table_name as name from information_schema.tables
    where table_schema = 'blobwatch' and table_type = 'BASE TABLE'`
  for (const { name } of tables) {
    const [found] =
      await owner`select from ${owner(name)} t where strpos(t::text, ${alice}) > 0 limit 1`
    assert.equal(found, undefined, name)
  }
  const file = world.store.objects.get(row.sealed_object) ?? assert.fail('the sealed copy')
  assert.equal((await openEvidence(file, world.officerKey)).facts.did, alice)
})

test('a bucket that keeps versions is not said to have destroyed', async (t) => {
  const { world, row } = await withOne(t)
  await world.caseState(row.case_file, 'released')
  const remove = world.store.remove.bind(world.store)
  Object.assign(world.store, { kind: 's3' })
  world.store.remove = async (name, signal) => {
    await remove(name, signal)
    return { versionsKept: name === row.sealed_object }
  }
  await world.sweep()
  const [entry] = await world.entries('evidence.destroyed')
  assert.equal(entry?.pub['method'], 's3-hidden-versions-kept')
})

test('the application may not change evidence but by its steps', async (t) => {
  const { world } = await withOne(t)
  const { db } = world
  for (const table of ['evidence', 'evidence_plan', 'evidence_request', 'evidence_wait'])
    await assert.rejects(db`delete from ${db(table)}`, /permission denied/)
  await assert.rejects(db`update evidence set sealed_until = now()`, /permission denied/)
})
