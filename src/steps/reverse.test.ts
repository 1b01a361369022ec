// Taking back what something caused: only what nothing else wants, only what is ours, once, and told as it stands.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { removeContent, setContent } from '../banks/bank-store.ts'
import { alice, bob, carol, createWorld } from '../testing/world.ts'
import { actLimits, claimAction, finish } from './act.ts'
import { principalId, retryAction, setPaused } from './withdraw.ts'
import {
  minute,
  reverse,
  start,
  goOn,
  decide,
  actions,
  stands,
  acted,
  addedBy,
} from './reverse-in-test.ts'

test('what a content caused is undone, nobody counts as released by a person, and disabled it acts on nothing again', async (t) => {
  const { world, content } = await acted(t, [alice, bob])
  const { preview, ...run } = await reverse(world, { content }, { disables: true })
  assert.deepEqual([preview.actions, preview.sends, preview.accounts], [4, 4, 2])
  assert.equal(preview.kinds['takedown-blob']?.reverse, 2)
  assert.deepEqual([run.disabled, run.ended, run.outcomes.reversing], [1, true, 4])
  await world.refreshBanks()
  await world.settle()
  assert.deepEqual(world.pds.takenDown(), [])
  const standings = await world.db<{ standing: string }[]>`select distinct standing from subject`
  assert.deepEqual([...standings], [{ standing: 'none' }])
  assert.deepEqual(
    new Set((await stands(world, run.reversal)).map((row) => row.split(' ')[1])),
    new Set(['undone']),
  )
  world.advance(minute)
  await world.sight([{ did: carol, bytes: 'one', rkey: 'c' }])
  await world.settle()
  assert.deepEqual(world.pds.takenDown(), [])
  const { documents, faults, openIntents } = await world.ledger()
  assert.deepEqual([faults, openIntents], [[], 0])
  const entries = documents.filter(({ type }) => type.startsWith('reversal.'))
  assert.deepEqual(
    entries.map(({ type, pub }) => [type, pub['expected'] ?? pub['outcomes']]),
    [
      ['reversal.started', { accounts: 2, actions: 4, sends: 4 }],
      ['reversal.ended', { reversing: 4 }],
    ],
  )
})

test('an action that another bank wants too stays, is told with the bank, and goes when that bank lets it go', async (t) => {
  const { world, content } = await acted(t)
  await world.bank('WORSE')
  const other = await world.content('WORSE', 'two')
  world.advance(minute)
  await world.sight([{ did: alice, bytes: 'two', rkey: 'a' }])
  await world.settle()
  const { preview, reversal, outcomes } = await reverse(world, { content })
  assert.deepEqual([...preview.keptBy.values()], [1])
  assert.deepEqual([outcomes.reversing, outcomes['other-cause']], [1, 1])
  assert.deepEqual((await stands(world, reversal)).toSorted(), [
    'takedown-blob under-way',
    'takedown-record other-cause WORSE',
  ])
  await world.settle()
  assert.equal(world.pds.takenDown().length, 2)
  const { db, principal } = world
  await removeContent(db, { bank: 'WORSE', content: other, principal, nowMs: world.clock() })
  assert.ok((await stands(world, reversal)).includes('takedown-record other-cause'))
  const again = await reverse(world, { content })
  await world.settle()
  assert.deepEqual([again.resumed, again.outcomes.reversing], [false, 1])
  assert.equal(world.pds.takenDown().length, 1, 'the picture that only the other bank had')
})

test('a picture of the same record in a case that a person let go keeps nothing in force', async (t) => {
  const { world, content } = await acted(t)
  await world.bank('WORSE', { mode: 'hold' })
  await world.content('WORSE', 'two')
  world.advance(minute)
  await world.sight([{ did: alice, bytes: 'two', rkey: 'a' }])
  await world.settle()
  await decide(world, 2, 'release')
  const { outcomes } = await reverse(world, { content })
  await world.settle()
  assert.equal(outcomes['other-cause'], 0)
  assert.deepEqual(world.pds.takenDown(), [])
})

test('what waits is stopped and never sent', async (t) => {
  const world = await createWorld(t)
  await world.bank('BAD', { mode: 'hold' })
  const content = await world.content('BAD', 'one')
  await world.bank('WORSE')
  const planned = await world.content('WORSE', 'two')
  const { db, principal } = world
  await setPaused(db, { scope: 'all', on: true, principal, nowMs: world.clock() })
  await world.sight([{ did: alice, bytes: 'one', rkey: 'a' }])
  await world.sight([{ did: bob, bytes: 'two', rkey: 'b' }])
  await world.settle()
  const held = await reverse(world, { content })
  const waiting = await reverse(world, { content: planned })
  assert.deepEqual([held.preview.sends, held.outcomes.stopped, waiting.outcomes.stopped], [0, 2, 2])
  await setPaused(db, { scope: 'all', on: false, principal, nowMs: world.clock() })
  await world.settle()
  assert.equal(world.pds.sets.length, 0)
  assert.ok((await actions(world)).every((row) => row.endsWith('superseded')))
  assert.equal((await world.ledger()).openIntents, 0)
})

test('a takedown that is under way is undone once it has arrived', async (t) => {
  const world = await createWorld(t)
  await world.bank('BAD', { policy: { actions: ['takedown-blob'] } })
  const content = await world.content('BAD', 'one')
  await world.sight([{ did: alice, bytes: 'one' }])
  while ((await world.scanDue()) > 0);
  await world.sequence()
  const claimed = await claimAction(world.db, { kinds: ['takedown-blob'], nowMs: world.clock() })
  assert.ok(claimed)
  const { reversal, outcomes } = await reverse(world, { content })
  assert.equal(outcomes.reversing, 1)
  await world.sequence()
  assert.equal(await world.actDue(), 0, 'one at a time')
  await finish(world.db, {
    claimed,
    ...(await world.send(claimed)),
    nowMs: world.clock(),
    random: 0,
  })
  assert.equal(world.pds.takenDown().length, 1)
  assert.deepEqual(await stands(world, reversal), ['takedown-blob under-way'])
  await world.settle()
  assert.deepEqual(world.pds.takenDown(), [])
  assert.deepEqual(await stands(world, reversal), ['takedown-blob undone'])
})

test('a label is negated, and a takedown of the same record undone beside it', async (t) => {
  const world = await createWorld(t)
  await world.bank('SPAM', {
    class: 'open',
    policy: { actions: ['label', 'takedown-record'], label: 'spam' },
  })
  const content = await world.content('SPAM', 'one')
  await world.sight([{ did: alice, bytes: 'one', rkey: 'a' }])
  await world.settle()
  await reverse(world, { content })
  await world.settle()
  const labels = await world.db<{ neg: boolean }[]>`select neg from label`
  assert.deepEqual([...labels], [{ neg: true }])
  assert.deepEqual(world.pds.takenDown(), [])
})

test('reversed twice it is undone once; seen again it acts again, and that is reversed too', async (t) => {
  const { world, content } = await acted(t)
  await reverse(world, { content })
  const twice = await reverse(world, { content })
  assert.deepEqual([twice.preview.actions, twice.outcomes['nothing-to-undo']], [0, 2])
  await world.settle()
  world.advance(minute)
  await world.sight([{ did: alice, bytes: 'one', rkey: 'a' }])
  await world.settle()
  assert.equal(world.pds.takenDown().length, 2, 'the content is enabled')
  const later = await reverse(world, { content })
  await world.settle()
  assert.equal(later.outcomes.reversing, 2)
  assert.deepEqual(world.pds.takenDown(), [])
  assert.deepEqual((await world.ledger()).faults, [])
})

test('of two revisions that wait and stand for one thing, the later is stopped and the earlier undone, once', async (t) => {
  const { world, content } = await acted(t)
  const { db, principal } = world
  await setPaused(db, { scope: 'all', on: true, principal, nowMs: world.clock() })
  world.advance(minute)
  await world.sight([{ did: alice, bytes: 'one', rkey: 'a' }])
  await world.settle()
  const { preview, outcomes, reversal } = await reverse(world, { content }, { batch: 1 })
  assert.deepEqual([preview.actions, outcomes.reversing], [2, 2])
  await setPaused(db, { scope: 'all', on: false, principal, nowMs: world.clock() })
  await world.settle()
  assert.deepEqual(world.pds.takenDown(), [])
  assert.deepEqual(await stands(world, reversal), [
    'takedown-blob undone',
    'takedown-record undone',
  ])
  assert.equal((await actions(world)).filter((row) => row.startsWith('undo')).length, 2)
})

test('a match that a bank of harmless pictures set aside since keeps nothing in force', async (t) => {
  const { world, content } = await acted(t)
  await world.bank('WORSE')
  const other = await world.content('WORSE', 'two')
  world.advance(minute)
  await world.sight([{ did: alice, bytes: 'two', rkey: 'a' }])
  await world.settle()
  await world.database.owner`update match set set_aside = 'negative' where content = ${other}`
  const { outcomes } = await reverse(world, { content })
  assert.deepEqual([outcomes.reversing, outcomes['other-cause']], [2, 0])
})

test('what wanted it once and was undone since does not keep what was done later', async (t) => {
  const { world, content } = await acted(t)
  await world.bank('WORSE')
  await world.content('WORSE', 'two')
  world.advance(minute)
  await world.sight([{ did: alice, bytes: 'two', rkey: 'a' }])
  await world.settle()
  await reverse(world, { until: new Date(world.clock()) })
  await world.settle()
  assert.deepEqual(world.pds.takenDown(), [])
  world.advance(minute)
  await world.sight([{ did: alice, bytes: 'one', rkey: 'a' }])
  await world.settle()
  assert.equal(world.pds.takenDown().length, 2)
  const { outcomes } = await reverse(world, { content })
  assert.deepEqual([outcomes.reversing, outcomes['other-cause']], [2, 0])
})

test('who moved a content of another person does not take its causes along', async (t) => {
  const { world, content } = await acted(t)
  const other = await world.content('BAD', 'two')
  world.advance(minute)
  await world.sight([{ did: alice, bytes: 'two', rkey: 'a' }])
  await world.settle()
  const mallory = await addedBy(world, content, 'mallory')
  await world.bank('CONFIRMED')
  const now = new Date(world.clock())
  await world.database.owner`select move_content(${other}, 2, ${mallory}, ${now})`
  const { outcomes, preview } = await reverse(world, { principal: mallory })
  assert.deepEqual([outcomes.reversing, outcomes['other-cause']], [1, 1])
  assert.deepEqual([...preview.keptBy.keys()], [2])
})

test('what a person overturned in between is left as the person left it', async (t) => {
  const { world, content } = await acted(t)
  await world.bank('WORSE')
  const { reversal } = await start(world, { content })
  await decide(world, 1, 'overturn')
  const run = await goOn(world, reversal)
  assert.equal(run.outcomes['nothing-to-undo'], 2)
  await world.settle()
  assert.equal((await actions(world)).length, 4)
  const [blob] = await world.db<{ standing: string }[]>`
    select standing from subject where kind = 'blob'`
  assert.equal(blob?.standing, 'released-by-person')
})

test("somebody else's takedown stays theirs, whether it was there before ours or came after", async (t) => {
  const world = await createWorld(t)
  await world.bank('BAD', { policy: { actions: ['takedown-blob'] } })
  const content = await world.content('BAD', 'one')
  await world.sight([{ did: alice, bytes: 'one' }])
  await world.settle()
  const [first] = world.pds.sets
  assert.ok(first)
  world.pds.overwrite(first.key, 'OTHER-1')
  const after = await reverse(world, { content })
  await world.settle()
  assert.deepEqual(await stands(world, after.reversal), ['takedown-blob not-ours'])
  world.pds.overwrite(first.key.replace(alice, bob), 'OTHER-2')
  await world.sight([{ did: bob, bytes: 'one' }])
  await world.settle()
  const before = await reverse(world, { content, since: new Date(world.clock() - 1) })
  assert.ok(before.outcomes['not-ours'] >= 1)
  assert.equal(world.pds.takenDown().length, 2)
})

test('an undo that is never answered is told as dead until a person tries it again', async (t) => {
  const world = await createWorld(t)
  await world.bank('BAD', { policy: { actions: ['takedown-blob'] } })
  const content = await world.content('BAD', 'one')
  await world.sight([{ did: alice, bytes: 'one' }])
  await world.settle()
  world.pds.down(true)
  const { reversal } = await reverse(world, { content })
  await world.settle()
  assert.deepEqual(await stands(world, reversal), ['takedown-blob under-way'])
  world.advance(actLimits.ageSecondsMax * 1000 + minute)
  await world.settle()
  assert.deepEqual(await stands(world, reversal), ['takedown-blob dead'])
  world.pds.down(false)
  const [undo] = await world.db<{ id: number }[]>`select id from action where state = 'dead'`
  const { db, principal } = world
  await retryAction(db, { action: undo?.id ?? 0, principal, nowMs: world.clock() })
  await world.settle()
  assert.deepEqual(await stands(world, reversal), ['takedown-blob undone'])
  assert.deepEqual(world.pds.takenDown(), [])
})

test('what one person added is taken back, and not what others did; a content moved by another person is theirs', async (t) => {
  const { world, content } = await acted(t)
  await world.content('BAD', 'two')
  const moved = await world.content('BAD', 'three')
  await world.sight([{ did: bob, bytes: 'two', rkey: 'b' }])
  await world.sight([{ did: carol, bytes: 'three', rkey: 'c' }])
  await world.settle()
  const mallory = await addedBy(world, content, 'mallory')
  await addedBy(world, moved, 'mallory')
  await world.bank('CONFIRMED')
  const { db, principal, database } = world
  await database.owner`select move_content(${moved}, 2, ${principal}, ${new Date(world.clock())})`
  const { outcomes, preview } = await reverse(world, { principal: mallory })
  await world.refreshBanks()
  await world.settle()
  assert.deepEqual([outcomes.reversing, outcomes['other-cause'], preview.accounts], [2, 2, 1])
  const down = world.pds.takenDown()
  assert.deepEqual([down.length, down.some((key) => key.startsWith(alice))], [4, false])
  assert.equal((await db`select from case_file where state = 'open'`).length, 0)
})

test('what one person confirmed is taken back and asked anew; what the policy did by itself stays', async (t) => {
  const world = await createWorld(t)
  await world.bank('BAD', { mode: 'hold' })
  await world.content('BAD', 'one')
  await world.bank('WORSE')
  await world.content('WORSE', 'two')
  await world.sight([{ did: alice, bytes: 'one', rkey: 'a' }])
  await world.sight([{ did: bob, bytes: 'two', rkey: 'b' }])
  await world.settle()
  const nowMs = world.clock()
  const mallory = await principalId(world.db, { kind: 'person', name: 'mallory', nowMs })
  await decide(world, 1, 'confirm', mallory)
  await decide(world, 2, 'confirm', mallory)
  await world.settle()
  assert.equal(world.pds.takenDown().length, 4)
  const { reopened, outcomes } = await reverse(world, { principal: mallory })
  await world.settle()
  assert.deepEqual([reopened, outcomes.reversing], [2, 2])
  assert.ok(world.pds.takenDown().every((key) => key.startsWith(bob)))
  world.advance(minute)
  await world.sight([{ did: carol, bytes: 'one', rkey: 'c' }])
  await world.settle()
  assert.equal(world.pds.takenDown().length, 2, 'their word no longer acts')
})

test('a bank, and a time alone, choose what was released then', async (t) => {
  const { world } = await acted(t)
  const early = new Date(world.clock())
  world.advance(60 * minute)
  await world.sight([{ did: bob, bytes: 'one', rkey: 'b' }])
  await world.settle()
  const since = new Date(world.clock() - minute)
  const bank = await reverse(world, { bank: 1, since })
  assert.equal(bank.outcomes.reversing, 2)
  await world.settle()
  assert.ok(world.pds.takenDown().every((key) => key.startsWith(alice)))
  const time = await reverse(world, { until: early })
  assert.equal(time.outcomes.reversing, 2)
  await world.settle()
  assert.deepEqual(world.pds.takenDown(), [])
})

test('contents of a bank are disabled page by page, those that caused something in the time and no others', async (t) => {
  const { world } = await acted(t)
  const idle = await world.content('BAD', 'never seen')
  const { disabled } = await reverse(world, { bank: 1 }, { disables: true })
  const rows = await world.db<{ until: number }[]>`
    select disable_until_ts as until from bank_content order by id`
  assert.deepEqual([disabled, rows.map((row) => row.until)], [1, [0, 1]])
  const { db, principal } = world
  const change = { bank: 'BAD', content: idle, change: 'set' as const, disableUntilTs: 0 }
  await setContent(db, { ...change, principal, nowMs: world.clock() })
  assert.equal((await reverse(world, { content: idle }, { disables: true })).disabled, 0)
})
