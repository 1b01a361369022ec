import assert from 'node:assert/strict'
import { test } from 'node:test'
import { UsageError } from '../domain/errors.ts'
import { alice, bob, createWorld, digestOfBytes } from '../testing/world.ts'
import type { World } from '../testing/world.ts'
import { decideCase, retryAction } from './withdraw.ts'
import type { CaseVerb } from './withdraw.ts'

async function decide(world: World, caseNumber: number, verb: CaseVerb) {
  const { principal } = world
  return decideCase(world.db, { caseNumber, verb, principal, nowMs: world.clock() })
}

/** One record with two pictures, each held in its own case: 'one' in the first, 'two' in the second. */
async function twoCases(t: Parameters<typeof createWorld>[0]) {
  const world = await createWorld(t)
  await world.bank('BAD', { mode: 'hold' })
  await world.content('BAD', 'one')
  await world.content('BAD', 'two')
  await world.sight([{ did: alice, bytes: 'one', rkey: 'a' }])
  await world.settle()
  await world.sight([{ did: alice, bytes: 'two', rkey: 'a' }])
  await world.settle()
  return world
}

async function actions(world: World): Promise<string[]> {
  const rows = await world.db<{ kind: string; state: string; applied: boolean; cid: string }[]>`
    select a.kind, a.state, a.applied, encode(s.blob_cid, 'hex') as cid
    from action a join subject s on s.id = a.subject order by a.id`
  const name = (cid: string | null) =>
    cid === null ? '' : cid === digestOfBytes('one') ? ' one' : ' two'
  return rows.map((row) => `${row.applied ? '' : 'undo '}${row.kind}${name(row.cid)} ${row.state}`)
}

async function standing(world: World, bytes: string): Promise<string | undefined> {
  const [row] = await world.db<{ standing: string }[]>`
    select standing from subject where blob_cid = decode(${digestOfBytes(bytes)}, 'hex')`
  return row?.standing
}

test('what was never sent is stopped and nothing is sent', async (t) => {
  const world = await twoCases(t)
  const { state, actions: stopped, stays, wantedBy } = await decide(world, 1, 'release')
  assert.deepEqual([state, stopped, stays, wantedBy], ['released', 1, 1, [2]])
  await world.settle()
  assert.deepEqual(await actions(world), [
    'takedown-blob one superseded',
    'takedown-record held',
    'takedown-blob two held',
  ])
  assert.equal(await standing(world, 'one'), 'released-by-person')
  await decide(world, 2, 'release')
  await world.settle()
  assert.equal((await actions(world))[1], 'takedown-record superseded')
  assert.equal(world.pds.sets.length, 0)
  assert.equal((await world.ledger()).openIntents, 0)
})

test('a record of two pictures goes down with whichever case is confirmed', async (t) => {
  const world = await twoCases(t)
  await decide(world, 2, 'confirm')
  await world.settle()
  assert.deepEqual(await actions(world), [
    'takedown-blob one held',
    'takedown-record done',
    'takedown-blob two done',
  ])
})

test('what was done is undone when it is overturned, but for what another case still causes', async (t) => {
  const world = await twoCases(t)
  await decide(world, 1, 'confirm')
  await decide(world, 2, 'confirm')
  await world.settle()
  assert.equal(world.pds.takenDown().length, 3)
  await decide(world, 1, 'overturn')
  await world.settle()
  assert.deepEqual((await actions(world)).slice(3), ['undo takedown-blob one done'])
  assert.equal(world.pds.takenDown().length, 2)
  await decide(world, 2, 'overturn')
  await world.settle()
  assert.deepEqual(world.pds.takenDown(), [])
  assert.equal(await standing(world, 'two'), 'released-by-person')
  world.advance(1000)
  await world.sight([{ did: alice, bytes: 'two', rkey: 'a' }])
  await world.settle()
  assert.deepEqual(world.pds.takenDown(), [], 'nothing is done again without a person')
  assert.deepEqual((await world.ledger()).faults, [])
})

test("a reversal leaves somebody else's takedown in force", async (t) => {
  const world = await twoCases(t)
  await decide(world, 1, 'confirm')
  await world.settle()
  const [first] = world.pds.sets
  assert.ok(first)
  world.pds.overwrite(first.key, 'OTHER-1')
  await decide(world, 1, 'overturn')
  await world.settle()
  assert.ok(world.pds.takenDown().includes(first.key))
  const rows = await actions(world)
  assert.ok(rows.some((row) => row.startsWith('undo') && row.endsWith('refused')))
})

test('a case is confirmed or released once, and a verb that does not fit is refused in a sentence', async (t) => {
  const world = await twoCases(t)
  await assert.rejects(decide(world, 1, 'overturn'), UsageError)
  await assert.rejects(decide(world, 99, 'confirm'), UsageError)
  await decide(world, 1, 'confirm')
  for (const verb of ['confirm', 'release'] as const)
    await assert.rejects(decide(world, 1, verb), UsageError)
  await decide(world, 1, 'overturn')
  await assert.rejects(decide(world, 1, 'overturn'), UsageError)
  assert.equal((await decide(world, 1, 'note')).state, 'overturned')
})

test('two people who decide one case at once: one of them does', async (t) => {
  const world = await twoCases(t)
  const both = await Promise.allSettled([decide(world, 1, 'confirm'), decide(world, 1, 'release')])
  assert.equal(both.filter((one) => one.status === 'fulfilled').length, 1)
  await world.settle()
  const { documents, faults } = await world.ledger()
  assert.equal(documents.filter((entry) => /^case\.(confirm|release)$/.test(entry.type)).length, 1)
  assert.deepEqual(faults, [])
})

test('a label that a person overturns is negated under the next number', async (t) => {
  const world = await createWorld(t)
  await world.bank('SPAM', {
    mode: 'hold',
    class: 'open',
    policy: { actions: ['label'], label: 'spam' },
  })
  await world.content('SPAM', 'one')
  await world.sight([
    { did: alice, bytes: 'one', rkey: 'a' },
    { did: bob, bytes: 'one', rkey: 'b' },
  ])
  await world.settle()
  await decide(world, 1, 'confirm')
  await world.settle()
  await decide(world, 1, 'overturn')
  await world.settle()
  const rows = await world.db<
    { seq: number; neg: boolean }[]
  >`select seq, neg from label order by seq`
  assert.deepEqual(
    [...rows].map((row) => [row.seq, row.neg]),
    [
      [3, true],
      [4, true],
    ],
  )
})

test('what the policy did by itself asks nobody, and any person may overturn it', async (t) => {
  const world = await createWorld(t)
  await world.bank('BAD', { mode: 'act' })
  await world.content('BAD', 'one')
  await world.sight([{ did: alice, bytes: 'one', rkey: 'a' }])
  await world.settle()
  const cases = await world.db`select id, state from case_file`
  assert.deepEqual([...cases], [{ id: 1, state: 'acted' }])
  await assert.rejects(decide(world, 1, 'release'), UsageError)
  assert.equal((await decide(world, 1, 'overturn')).actions, 2)
  await world.settle()
  assert.deepEqual(await actions(world), [
    'takedown-blob one done',
    'takedown-record done',
    'undo takedown-blob one done',
    'undo takedown-record done',
  ])
  await world.sight([{ did: bob, bytes: 'one', rkey: 'b' }])
  await world.settle()
  assert.equal((await actions(world)).length, 4, 'later sightings follow the person')
  assert.equal((await world.ledger()).openIntents, 0)
})

test('a dead action is tried again by a person, as a new revision with its own intent', async (t) => {
  const world = await createWorld(t)
  await world.bank('BAD', { mode: 'act' })
  await world.content('BAD', 'one')
  await world.sight([{ did: alice, bytes: 'one' }])
  await world.settle()
  await world.database.owner`update action set state = 'dead' where id = 1`
  const { principal } = world
  const nowMs = world.clock()
  assert.equal(await retryAction(world.db, { action: 1, principal, nowMs }), 2)
  await assert.rejects(retryAction(world.db, { action: 2, principal, nowMs }), UsageError)
  await world.settle()
  assert.deepEqual(await actions(world), ['takedown-blob one dead', 'takedown-blob one done'])
})
