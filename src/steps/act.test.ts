import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { actionKinds } from '../domain/bank.ts'
import { alice, bob, createWorld } from '../testing/world.ts'
import type { World } from '../testing/world.ts'
import { actLimits, claimAction, finish, retryDelayMs } from './act.ts'
import type { ClaimedAction } from './act.ts'

const retry = { kind: 'retry', reason: 'server-error' } as const

async function claim(world: World): Promise<ClaimedAction | undefined> {
  return claimAction(world.db, { kinds: [...actionKinds], nowMs: world.clock() })
}

async function claimSome(world: World): Promise<ClaimedAction> {
  const claimed = await claim(world)
  assert.ok(claimed, 'an action is due')
  return claimed
}

function end(
  world: World,
  claimed: ClaimedAction,
  outcome: Parameters<typeof finish>[1]['outcome'],
) {
  return finish(world.db, { claimed, outcome, nowMs: world.clock(), random: 0 })
}

/** One released label on one record. */
async function labelWorld(
  t: Parameters<typeof createWorld>[0],
  actions: ('label' | 'takedown-record')[] = ['label'],
) {
  const world = await createWorld(t)
  await world.bank('SPAM', { class: 'open', policy: { actions, label: 'spam' } })
  await world.content('SPAM', 'one')
  await world.sight([{ did: alice, bytes: 'one', rkey: 'a' }])
  while ((await world.scanDue()) > 0);
  await world.sequence()
  return world
}

async function labels(world: World) {
  const rows = await world.db<{ seq: number; val: string; neg: boolean; uri: string }[]>`
    select seq, val, neg, uri from label order by seq`
  return rows.map(
    (row) => `${row.seq} ${row.neg ? '-' : '+'}${row.val} ${row.uri.split('/').at(-1)}`,
  )
}

test('an action has one lease; when it runs out another worker has it, and the first writes nothing', async (t) => {
  const world = await labelWorld(t)
  const slow = await claimSome(world)
  assert.equal(await claim(world), undefined)
  world.advance(actLimits.leaseSeconds * 1000 + 1)
  const quick = await claimSome(world)
  assert.deepEqual([quick.action, quick.attempts], [slow.action, 2])
  assert.equal(await end(world, slow, { kind: 'done', detail: {} }), 'lost')
  assert.equal(await end(world, quick, { kind: 'done', detail: {} }), 'done')
  assert.equal(await end(world, quick, { kind: 'done', detail: {} }), 'lost')
  await world.sequence()
  const { documents } = await world.ledger()
  assert.equal(documents.filter((entry) => entry.type === 'action.result').length, 1)
})

test('one action of a subject is in flight at a time, however many workers ask at once', async (t) => {
  const world = await labelWorld(t, ['label', 'takedown-record'])
  for (let round = 0; round < 10; round += 1) {
    const claimed = await Promise.all(Array.from({ length: 6 }, () => claim(world)))
    const got = claimed.filter((one) => one !== undefined)
    assert.equal(got.length, 1)
    await end(world, got[0]!, retry)
    world.advance(3600_000)
  }
})

test('an action that failed is tried again for three days, then it is dead and stays in view', async (t) => {
  const world = await labelWorld(t)
  const first = await claimSome(world)
  assert.equal(await end(world, first, { ...retry, afterMs: 30_000 }), 'retry')
  assert.equal(await claim(world), undefined)
  world.advance(30_000)
  await end(world, await claimSome(world), retry)
  world.advance(actLimits.ageSecondsMax * 1000)
  assert.equal(await claim(world), undefined)
  const [row] = await world.db`select state, last_error from action`
  assert.deepEqual([row?.['state'], row?.['last_error']], ['dead', 'server-error'])
  await world.sequence()
  const { documents, openIntents } = await world.ledger()
  const results = documents.filter((entry) => entry.type === 'action.result')
  assert.deepEqual(
    results.map((entry) => entry.pub['outcome']),
    ['dead'],
  )
  assert.equal(openIntents, 0)
})

test('a kind that is not asked for waits', async (t) => {
  const world = await labelWorld(t, ['label', 'takedown-record'])
  const none = await claimAction(world.db, { kinds: ['takedown-blob'], nowMs: world.clock() })
  assert.equal(none, undefined)
  const one = await claimAction(world.db, { kinds: ['label'], nowMs: world.clock() })
  assert.equal(one?.kind, 'label')
})

test('labels take dense numbers, and a change of one replaces the row before', async (t) => {
  const world = await labelWorld(t)
  await world.sight([
    { did: alice, bytes: 'one', rkey: 'b' },
    { did: bob, bytes: 'one', rkey: 'c' },
  ])
  await world.settle()
  assert.deepEqual(
    (await labels(world)).map((line) => line.split(' ')[0]),
    ['1', '2', '3'],
  )
  world.advance(1000)
  await world.sight([{ did: alice, bytes: 'one', rkey: 'a' }])
  await world.settle()
  const after = await labels(world)
  assert.equal(after.length, 3)
  assert.equal(after.at(-1), '4 +spam a')
  const [head] = await world.db`select seq from label_head`
  assert.equal(head?.['seq'], 4)
  assert.deepEqual((await world.ledger()).faults, [])
})

test('a refused action ends in a result, and the same sighting does not plan it again', async (t) => {
  const world = await labelWorld(t)
  await end(world, await claimSome(world), { kind: 'refused', reason: 'record-gone' })
  await world.settle()
  assert.deepEqual(await labels(world), [])
  const [row] = await world.db`select state, last_error from action`
  assert.deepEqual([row?.['state'], row?.['last_error']], ['refused', 'record-gone'])
  world.advance(1000)
  await world.sight([{ did: alice, bytes: 'one', rkey: 'a' }])
  await world.settle()
  assert.deepEqual(await labels(world), ['1 +spam a'])
})

test('the wait before the next try grows, stays within its bounds and never undercuts what was asked', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 1000 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      fc.integer({ min: 0, max: 3_600_000 }),
      (attempts, random, askedMs) => {
        const ms = retryDelayMs(attempts, random, askedMs)
        assert.ok(ms >= askedMs && ms >= actLimits.retrySecondsMin * 1000)
        assert.ok(ms <= Math.max(askedMs, actLimits.retrySecondsMax * 1000))
        assert.ok(ms <= retryDelayMs(attempts + 1, random, askedMs))
        assert.ok(ms <= retryDelayMs(attempts, 1, askedMs))
      },
    ),
    { numRuns: 2000, seed: 20261121 },
  )
})
