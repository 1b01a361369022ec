// What an AppView is told about a blob of an account, walked through by the real steps; and that every change is told.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { readBlobStates } from '../cases/blob-states.ts'
import { setBank } from '../banks/bank-store.ts'
import { ask } from '../db/client.ts'
import {
  alice,
  bob,
  carol,
  cidOfBytes,
  createWorld,
  didOf,
  digestOfBytes,
} from '../testing/world.ts'
import type { World } from '../testing/world.ts'
import { dropChanges, numberChanges, readChanges } from './blob-changes.ts'
import { requestErasure } from './personal.ts'
import { decideCase } from './withdraw.ts'

async function stateOf(world: World, did: string, bytes: string): Promise<string> {
  const [row] = await readBlobStates(world.db, [{ did, digest: digestOfBytes(bytes) }])
  return `${row?.state} ${row?.reason}`
}

/** The state of each pair as a copy has it that has followed every change since `after`. */
async function copyOf(world: World): Promise<(did: string, bytes: string) => string> {
  await numberChanges(world.db, world.clock())
  const page = await readChanges(world.db, { after: 0, limit: 1000 })
  assert.equal(page.kind, 'page')
  const copy = new Map<string, string>()
  for (const { did, cid, state, reason } of page.kind === 'page' ? page.changes : [])
    copy.set(`${did ?? '*'} ${cid}`, `${state} ${reason}`)
  return (did, bytes) =>
    copy.get(`${did} ${cidOfBytes(bytes)}`) ?? copy.get(`* ${cidOfBytes(bytes)}`) ?? 'not told'
}

/** Asks the database and the copy, which have to agree. */
async function told(world: World, did: string, bytes: string): Promise<string> {
  const state = await stateOf(world, did, bytes)
  assert.equal((await copyOf(world))(did, bytes), state, 'the stream says the same')
  return state
}

async function caseOfBytes(world: World, bytes: string): Promise<number> {
  const [row] = await ask(
    'find the case',
    world.db<{ id: number }[]>`
      select case_file as id from case_blob where blob_cid = decode(${digestOfBytes(bytes)}, 'hex')`,
  )
  assert.ok(row)
  return row.id
}

async function decideBytes(
  world: World,
  bytes: string,
  verb: 'confirm' | 'release' | 'overturn',
): Promise<void> {
  const caseNumber = await caseOfBytes(world, bytes)
  await decideCase(world.db, { caseNumber, verb, principal: world.principal, nowMs: world.clock() })
}

async function worldWith(
  t: TestContext,
  mode: 'observe' | 'hold' | 'act',
  limits?: { takedownsPerDay: number },
): Promise<World> {
  const world = await createWorld(t, limits && { limits })
  await world.bank('BAD', { mode })
  await world.content('BAD', 'bad')
  return world
}

test('never seen, waiting, and clear', async (t) => {
  const world = await worldWith(t, 'act')
  assert.equal(await stateOf(world, alice, 'good'), 'unscanned unknown')
  await world.sight([{ did: alice, bytes: 'good', rkey: 'a' }])
  assert.equal(await stateOf(world, alice, 'good'), 'unscanned waiting')
  await world.settle()
  assert.equal(await stateOf(world, alice, 'good'), 'show clear')
  assert.equal(await stateOf(world, bob, 'good'), 'show clear')
})

test('what an observing bank matches changes nothing for anybody', async (t) => {
  const world = await worldWith(t, 'observe')
  await world.sight([{ did: alice, bytes: 'bad', rkey: 'a' }])
  await world.settle()
  assert.equal(await told(world, alice, 'bad'), 'show observed')
  assert.equal(await told(world, bob, 'bad'), 'show observed')
})

test('taken down is hidden there; where it was not decided yet it is blurred; an overturn shows it', async (t) => {
  const world = await worldWith(t, 'act')
  await world.sight([{ did: alice, bytes: 'bad', rkey: 'a' }])
  await world.settle()
  assert.equal(await told(world, alice, 'bad'), 'hide taken-down')
  assert.equal(await told(world, bob, 'bad'), 'blur matched')
  await world.sight([{ did: bob, bytes: 'bad' }])
  await world.settle()
  assert.equal(await told(world, bob, 'bad'), 'hide taken-down')
  await decideBytes(world, 'bad', 'overturn')
  assert.equal(await told(world, alice, 'bad'), 'show released')
  await world.settle()
  assert.equal(await told(world, alice, 'bad'), 'show released')
  await world.sight([{ did: carol, bytes: 'bad', rkey: 'c' }])
  await world.settle()
  assert.equal(await told(world, carol, 'bad'), 'show released')
})

test('nothing is hidden before its intent is an entry, nor beyond the cap of a day', async (t) => {
  const world = await worldWith(t, 'act', { takedownsPerDay: 1 })
  await world.sight([{ did: alice, bytes: 'bad' }])
  await world.scanDue()
  assert.equal(await told(world, alice, 'bad'), 'blur waiting')
  await world.settle()
  assert.equal(await told(world, alice, 'bad'), 'hide taken-down')
  await world.sight([{ did: bob, bytes: 'bad' }])
  await world.settle()
  assert.equal(await told(world, bob, 'bad'), 'blur waiting')
})

test('held for a person: blurred; confirmed hides it in every account, released shows it', async (t) => {
  const world = await worldWith(t, 'hold')
  await world.content('BAD', 'worse')
  await world.sight([
    { did: alice, bytes: 'bad', rkey: 'a' },
    { did: alice, bytes: 'worse', rkey: 'b' },
    { did: bob, bytes: 'worse', rkey: 'b' },
  ])
  await world.settle()
  assert.equal(await told(world, alice, 'bad'), 'blur held')
  assert.equal(await told(world, carol, 'bad'), 'blur held')
  await decideBytes(world, 'bad', 'confirm')
  assert.equal(await told(world, alice, 'bad'), 'hide confirmed')
  assert.equal(await told(world, carol, 'bad'), 'hide confirmed')
  await decideBytes(world, 'worse', 'release')
  for (const did of [alice, bob, carol])
    assert.equal(await told(world, did, 'worse'), 'show released')
  await world.settle()
  await decideBytes(world, 'bad', 'overturn')
  assert.equal(await told(world, alice, 'bad'), 'show released')
})

test('what only one account was released from stays hidden in the other', async (t) => {
  const world = await worldWith(t, 'act')
  await world.sight([
    { did: alice, bytes: 'bad', rkey: 'a' },
    { did: bob, bytes: 'bad', rkey: 'b' },
  ])
  await world.settle()
  await world.database.owner`
    update blobwatch.subject s set standing = 'released-by-person' from blobwatch.account a
    where a.id = s.account and a.did = ${alice} and s.kind = 'blob'`
  assert.equal(await told(world, alice, 'bad'), 'show released')
  assert.equal(await told(world, bob, 'bad'), 'hide taken-down')
})

test('a released blob that another bank matches waits for a person again', async (t) => {
  const world = await worldWith(t, 'hold')
  await world.sight([{ did: alice, bytes: 'bad', rkey: 'a' }])
  await world.settle()
  await decideBytes(world, 'bad', 'release')
  await world.settle()
  world.advance(1000)
  await world.bank('OTHER', { mode: 'hold' })
  await world.content('OTHER', 'bad')
  await world.settle()
  assert.equal(await told(world, alice, 'bad'), 'blur held')
})

test('what the policy did is shown again once it is taken back without a person having decided the case', async (t) => {
  const world = await worldWith(t, 'act')
  await world.sight([{ did: alice, bytes: 'bad' }])
  await world.settle()
  const [action] = await world.db<{ id: number }[]>`select id from action`
  await world.database.owner`select blobwatch.take_back(${action!.id}, 'a reversal', now())`
  assert.equal(await told(world, alice, 'bad'), 'show released')
})

test('a bank that begins to observe: what it matches from then on is shown', async (t) => {
  const world = await worldWith(t, 'hold')
  await world.sight([{ did: alice, bytes: 'bad', rkey: 'a' }])
  await world.settle()
  await setBank(world.db, {
    name: 'BAD',
    mode: 'observe',
    principal: world.principal,
    nowMs: world.clock(),
  })
  await world.refreshBanks()
  await world.sight([{ did: bob, bytes: 'bad', rkey: 'b' }])
  await world.settle()
  assert.equal(await told(world, alice, 'bad'), 'blur held')
  assert.equal(await told(world, bob, 'bad'), 'show observed')
})

test('an erased account is one that nobody knows, and its changes name nobody', async (t) => {
  const world = await worldWith(t, 'act')
  await world.sight([{ did: alice, bytes: 'bad', rkey: 'a' }])
  await world.settle()
  await decideBytes(world, 'bad', 'overturn')
  await world.settle()
  await requestErasure(world.db, {
    did: alice,
    basis: 'asked',
    principal: world.principal,
    nowMs: world.clock(),
  })
  const [row] = await world.db<{ did: string | null }[]>`select did from account`
  assert.equal(row?.did, null)
  await numberChanges(world.db, world.clock())
  const page = await readChanges(world.db, { after: 0, limit: 1000 })
  assert.ok(page.kind === 'page' && page.changes.length > 0)
  assert.deepEqual([...new Set(page.changes.map(({ did }) => did))], [undefined])
  assert.equal(await stateOf(world, alice, 'bad'), 'show released')
})

test('a change that commits late is read after those that came in before it was there, and none is lost', async (t) => {
  const world = await worldWith(t, 'act')
  const { owner, app } = world.database
  const put = (n: number) => owner`
    insert into blobwatch.blob (blob_cid, hashed_at, bank_generation, coverage, verdict, reason)
    values (decode(${digestOfBytes(`u${n}`)}, 'hex'), now(), 0, 0, 'unscannable', 'empty')`
  // Takes the lower identity in the intake, and commits after the others.
  const slow = owner`
    with made as (
      insert into blobwatch.blob (blob_cid, hashed_at, bank_generation, coverage, verdict, reason)
      values (decode(${digestOfBytes('slow')}, 'hex'), now(), 0, 0, 'unscannable', 'empty') returning 1)
    select pg_sleep(1.5) from made`
  const slowDone = slow.then(() => undefined)
  const seen: number[] = []
  let after = 0
  const number = () => numberChanges(app, world.clock())
  const readOn = async () => {
    await number()
    const page = await readChanges(app, { after, limit: 1000 })
    assert.ok(page.kind === 'page')
    seen.push(...page.changes.map(({ seq }) => seq))
    after = page.through
  }
  for (let n = 0; n < 20; n += 1) await Promise.all([put(n), readOn(), number()])
  await slowDone
  await readOn()
  assert.deepEqual(
    seen,
    [...seen].sort((a, b) => a - b),
  )
  assert.equal(seen.length, 21)
  assert.equal(new Set(seen).size, 21)
})

test('a reader from before what is kept, or from beyond what was given out, is told so', async (t) => {
  const world = await worldWith(t, 'act')
  for (let n = 0; n < 3; n += 1) await world.sight([{ did: didOf(n), bytes: 'bad', rkey: 'a' }])
  await world.settle()
  const seq = await numberChanges(world.db, world.clock())
  assert.ok(seq > 3)
  assert.equal((await readChanges(world.db, { after: seq + 1, limit: 10 })).kind, 'outdated')
  world.advance(8 * 86_400_000)
  assert.equal(await dropChanges(world.db, world.clock()), seq)
  assert.equal((await readChanges(world.db, { after: seq - 1, limit: 10 })).kind, 'outdated')
  assert.deepEqual(await readChanges(world.db, { after: seq, limit: 10 }), {
    kind: 'page',
    changes: [],
    through: seq,
    more: false,
  })
})

test('on another history of the database whoever followed the old one is told so', async (t) => {
  const world = await worldWith(t, 'act')
  await world.sight([{ did: alice, bytes: 'bad', rkey: 'a' }])
  await world.settle()
  const before = await numberChanges(world.db, world.clock())
  await world.database.owner`update blobwatch.blob_change_head set timeline = 'another'`
  const after = await numberChanges(world.db, world.clock())
  assert.ok(after > before)
  assert.equal((await readChanges(world.db, { after: before, limit: 10 })).kind, 'outdated')
  assert.equal((await readChanges(world.db, { after, limit: 10 })).kind, 'page')
})
