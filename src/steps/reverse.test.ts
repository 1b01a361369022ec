// Taking back what something caused: only what nothing else wants, only what is ours, once, and told as it stands.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { removeContent, setContent } from '../banks/bank-store.ts'
import { listReversals, reversalActions, reversalCounts, reversalHead } from '../cases/reversal.ts'
import { reversalStates } from '../cases/reversal.ts'
import { alice, bob, carol, createWorld, didOf } from '../testing/world.ts'
import type { World } from '../testing/world.ts'
import { actLimits, claimAction, finish } from './act.ts'
import { previewReversal, runReversal, startReversal } from './reverse.ts'
import type { ReversalRun, ReversalScope } from './reverse.ts'
import { decideCase, principalId, retryAction, setPaused } from './withdraw.ts'
import type { CaseVerb } from './withdraw.ts'

const minute = 60_000

type Asked = {
  disables?: boolean
  batch?: number
  principal?: number
  onBatch?: () => Promise<void>
}

async function reverse(world: World, scope: Partial<ReversalScope>, asked: Asked = {}) {
  const started = await start(world, scope, asked)
  return { ...started, ...(await goOn(world, started.reversal, asked)) }
}

async function start(world: World, scope: Partial<ReversalScope>, asked: Asked = {}) {
  const { db, principal } = world
  const nowMs = world.clock()
  const whole = { as: { ...(scope as Record<string, number>) }, ...scope }
  const preview = await previewReversal(db, { scope: whole, nowMs, page: 2 })
  const started = await startReversal(db, {
    scope: whole,
    disables: asked.disables ?? false,
    preview,
    principal: asked.principal ?? principal,
    nowMs,
  })
  return { preview, ...started }
}

async function goOn(world: World, reversal: number, asked: Asked = {}): Promise<ReversalRun> {
  return runReversal(world.db, {
    reversal,
    disables: asked.disables ?? false,
    principal: asked.principal ?? world.principal,
    clock: world.clock,
    batch: asked.batch ?? 2,
  })
}

async function decide(world: World, caseNumber: number, verb: CaseVerb, principal?: number) {
  const nowMs = world.clock()
  return decideCase(world.db, { caseNumber, verb, principal: principal ?? world.principal, nowMs })
}

/** The actions as they are: what, whose undo, how far. */
async function actions(world: World): Promise<string[]> {
  const rows = await world.db<{ kind: string; state: string; applied: boolean }[]>`
    select kind, state, applied from action order by id`
  return rows.map((row) => `${row.applied ? '' : 'undo '}${row.kind} ${row.state}`)
}

/** How the actions of a reversal stand now, and which banks keep them. */
async function stands(world: World, reversal: number): Promise<string[]> {
  const now = new Date(world.clock())
  const all = { reversal, states: reversalStates, now, limit: 100, offset: 0 }
  const rows = await reversalActions(world.db, all)
  return rows.map((row) => [row.kind, row.state, ...row.banks].join(' '))
}

/** A bank that acts, one content, and its picture in a post of each account. */
async function acted(t: Parameters<typeof createWorld>[0], dids: string[] = [alice]) {
  const world = await createWorld(t)
  await world.bank('BAD')
  const content = await world.content('BAD', 'one')
  await world.sight(dids.map((did) => ({ did, bytes: 'one', rkey: 'a' })))
  await world.settle()
  return { world, content }
}

/** Makes the content somebody else's: added, and brought to its admission test, by them. */
async function addedBy(world: World, content: number, name: string): Promise<number> {
  const { db, database } = world
  const id = await principalId(db, { kind: 'person', name, nowMs: world.clock() })
  await database.owner`
    update bank_change set principal = ${id}
    where generation in (select added_generation from bank_signal where content = ${content})`
  await database.owner`update admission set principal = ${id} where content = ${content}`
  return id
}

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

test('asked for in the same words while it is open it is one run, also by two people at once', async (t) => {
  const { world, content } = await acted(t, [alice, bob, carol])
  const first = await start(world, { content })
  const second = await start(world, { content })
  assert.deepEqual([second.resumed, second.reversal], [true, first.reversal])
  const runs = await Promise.all([
    goOn(world, first.reversal, { batch: 1 }),
    goOn(world, first.reversal, { batch: 1 }),
  ])
  const reversing = runs.reduce((sum, run) => sum + run.outcomes.reversing, 0)
  assert.deepEqual([reversing, runs.every((run) => run.ended)], [6, true])
  await world.settle()
  assert.deepEqual(world.pds.takenDown(), [])
  assert.equal((await actions(world)).length, 12)
  const { documents } = await world.ledger()
  assert.equal(documents.filter(({ type }) => type === 'reversal.ended').length, 1)
  assert.equal((await start(world, { content })).resumed, false)
})

test('stopped in between it says that it is open, and goes on from there', async (t) => {
  const { world, content } = await acted(t, [alice, bob])
  const { reversal } = await start(world, { content })
  const stop = new AbortController()
  const { db, principal, clock } = world
  const input = { reversal, disables: false, principal, clock, batch: 1, signal: stop.signal }
  const run = await runReversal(db, { ...input, onBatch: () => stop.abort() })
  assert.deepEqual([run.ended, run.outcomes.reversing], [false, 1])
  assert.equal((await reversalHead(db, reversal)).endedAt, null)
  assert.equal((await goOn(world, reversal)).outcomes.reversing, 3)
  const [listed] = await listReversals(db, { limit: 10, offset: 0 })
  assert.deepEqual([listed?.actions, listed?.endedAt === null], [4, false])
})

test('the preview says what the run then does, for pages and batches of any size', async (t) => {
  const dids = Array.from({ length: 12 }, (_, n) => didOf(n))
  const { world, content } = await acted(t, dids)
  await world.bank('WORSE')
  await world.content('WORSE', 'two')
  world.advance(minute)
  await world.sight(dids.slice(0, 5).map((did) => ({ did, bytes: 'two', rkey: 'a' })))
  await world.settle()
  const { db } = world
  const scope = { content, as: {} }
  const counts = async (page: number) => {
    const { kinds, keptBy } = await previewReversal(db, { scope, nowMs: world.clock(), page })
    return { kinds, keptBy }
  }
  assert.deepEqual(await counts(1), await counts(500))
  const { reversal, preview } = await reverse(world, { content }, { batch: 7 })
  const records = preview.kinds['takedown-record']
  assert.deepEqual([records?.reverse, records?.['other-cause']], [7, 5])
  const told = await reversalCounts(db, reversal)
  assert.deepEqual(
    told.map((row) => [row.kind, row.state, row.actions]),
    [
      ['takedown-blob', 'under-way', 12],
      ['takedown-record', 'other-cause', 5],
      ['takedown-record', 'under-way', 7],
    ],
  )
})
