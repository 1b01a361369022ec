// What keeps a match from counting, from the scan to the release, and what a pass does when that changes.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { moveContent, removeContent, setContent } from '../banks/bank-store.ts'
import type { Signals } from '../domain/blob.ts'
import { scanBlob } from '../pipeline.ts'
import type { PipelineOptions } from '../pipeline.ts'
import { trimBlobs } from '../roles/keep-house.ts'
import { runRematch } from '../roles/rematch.ts'
import { alice, bob, createWorld, didOf, pdqOfBytes } from '../testing/world.ts'
import type { World } from '../testing/world.ts'
import { claimJobs } from './jobs.ts'
import type { Change } from './jobs.ts'
import { claimScans, settle } from './scan.ts'
import { setPaused } from './withdraw.ts'

const signal = new AbortController().signal
const near = (bytes: string) => [{ type: 'pdq' as const, value: pdqOfBytes(bytes), quality: 100 }]

async function matches(world: World): Promise<string[]> {
  const rows = await world.db<
    { content: number; type: string; variant: string; set_aside: string; set_aside_by: number }[]
  >`select content, type, variant, set_aside, set_aside_by from match order by signal, variant`
  return rows.map((row) =>
    [row.content, row.type, row.variant, row.set_aside, row.set_aside_by]
      .filter((part) => part !== null)
      .join(' '),
  )
}

async function outcomes(world: World): Promise<string[]> {
  const rows = await world.db<{ outcome: string; reason: string; rkey: string }[]>`
    select outcome, reason, rkey from decision order by id`
  return rows.map((row) => `${row.rkey} ${row.outcome} ${row.reason}`)
}

async function verdicts(world: World): Promise<string[]> {
  return (await world.db<{ verdict: string }[]>`select verdict from blob`).map((row) => row.verdict)
}

/** A pass for the newest bank change, as that change would start it. */
async function startPass(world: World, change: Change): Promise<void> {
  const { owner } = world.database
  await owner`
    insert into job (kind, key, next_at, reason, retro, detail, created_at)
    select 'rematch', int8send(generation), ${new Date(world.clock())}, 'bank-change', generation,
      ${owner.json(change)}, ${new Date(world.clock())} from bank_head
    on conflict (kind, key) do update set detail = excluded.detail`
}

test('a harmless look-alike keeps a match from counting: written down with what kept it, clear, nothing decided', async (t) => {
  const world = await createWorld(t)
  await world.bank('BAD')
  const bad = await world.content('BAD', near('one'))
  await world.bank('HARMLESS', { policy: { suppresses: 'all' } })
  const harmless = await world.content('HARMLESS', near('one'))
  await world.sight([{ did: alice, bytes: 'one~1', rkey: 'a' }])
  await world.settle()
  assert.deepEqual(await verdicts(world), ['clear'])
  assert.deepEqual(await matches(world), [`${bad} pdq original negative ${harmless}`])
  assert.deepEqual(await outcomes(world), [])
})

test('a file that is known by its digest counts although a harmless picture looks like it', async (t) => {
  const world = await createWorld(t)
  await world.bank('BAD')
  const bad = await world.content('BAD', 'one')
  await world.bank('HARMLESS', { policy: { suppresses: 'all' } })
  await world.content('HARMLESS', near('one'))
  await world.sight([{ did: alice, bytes: 'one', rkey: 'a' }])
  await world.settle()
  assert.deepEqual(await matches(world), [`${bad} sha256 original`])
  assert.deepEqual(await outcomes(world), ['a acted exact'])
})

test('a negative bank for named banks leaves the others alone', async (t) => {
  const world = await createWorld(t)
  const spam = await world.bank('SPAM')
  await world.bank('BAD')
  await world.content('SPAM', near('one'))
  const bad = await world.content('BAD', near('one'))
  await world.bank('HARMLESS', { policy: { suppresses: [spam] } })
  await world.content('HARMLESS', near('one'))
  await world.sight([{ did: alice, bytes: 'one', rkey: 'a' }])
  await world.settle()
  const [row] = await world.db<{ content: number }[]>`select content from decision`
  assert.equal(row?.content, bad)
  assert.deepEqual(await verdicts(world), ['matched'])
})

test('a bank that looks at no blob yet finds what it skipped when it looks at all of them', async (t) => {
  const world = await createWorld(t)
  const bad = await world.bank('BAD', { policy: { ratio: 0, ratioSeed: 's' } })
  const content = await world.content('BAD', 'one')
  await world.sight([{ did: alice, bytes: 'one', rkey: 'a' }])
  await world.settle()
  assert.deepEqual(await matches(world), [`${content} sha256 original ratio`])
  assert.deepEqual(await outcomes(world), [])
  await world.changePolicy('BAD', { ratio: 1 })
  await startPass(world, { bank: bad })
  await world.settle()
  assert.deepEqual(await matches(world), [`${content} sha256 original`])
  assert.deepEqual(await outcomes(world), ['a held retroactive'])
})

test('a negative content added later sets stored matches aside without asking anybody again, and its removal lets them count', async (t) => {
  const world = await createWorld(t)
  await world.bank('BAD', { policy: { perceptual: 'act' } })
  const bad = await world.content('BAD', near('one'))
  await world.bank('HARMLESS', { policy: { suppresses: 'all' } })
  await world.sight([{ did: alice, bytes: 'one', rkey: 'a' }])
  await world.sight([{ did: bob, bytes: 'clean', rkey: 'b' }])
  await world.settle()
  const before = await outcomes(world)
  assert.deepEqual(before, ['a acted perceptual-allowed'])
  world.advance(60_000)
  const harmless = await world.content('HARMLESS', near('one'))
  await world.settle()
  assert.deepEqual(await matches(world), [`${bad} pdq original negative ${harmless}`])
  assert.deepEqual(await outcomes(world), before, 'nobody is asked about what ceased to count')
  assert.equal((await world.db`select from blob where verdict = 'matched'`).length, 0)

  world.advance(60_000)
  const { db, principal } = world
  await removeContent(db, { bank: 'HARMLESS', content: harmless, principal, nowMs: world.clock() })
  await world.refreshBanks()
  await startPass(world, { all: true })
  await world.settle()
  assert.deepEqual(await matches(world), [`${bad} pdq original`])
  assert.deepEqual((await outcomes(world)).slice(1), ['a held retroactive'])
  assert.deepEqual((await world.ledger()).faults, [])
})

test('what was planned before its match was set aside goes to a person instead of leaving', async (t) => {
  const world = await createWorld(t)
  await world.bank('BAD', { policy: { perceptual: 'act' } })
  await world.content('BAD', near('one'))
  await world.content('BAD', 'two')
  await world.bank('HARMLESS', { policy: { suppresses: 'all' } })
  const { db, principal } = world
  const pause = (on: boolean) =>
    setPaused(db, { scope: 'all', on, principal, nowMs: world.clock() })
  await pause(true)
  await world.sight([
    { did: alice, bytes: 'one', rkey: 'a' },
    { did: bob, bytes: 'two', rkey: 'b' },
  ])
  await world.settle()
  world.advance(1000)
  await world.content('HARMLESS', near('one'))
  await world.settle()
  await pause(false)
  await world.settle()
  const states = await db<{ state: string; waiting: string | null; n: number }[]>`
    select state, waiting, count(*) as n from action group by 1, 2 order by 1`
  assert.deepEqual(
    states.map((row) => [row.state, row.waiting, row.n]),
    [
      ['done', null, 2],
      ['held', 'no-live-cause', 2],
    ],
  )
})

test('what a content caused stays with a person once it was moved among the harmless pictures', async (t) => {
  const world = await createWorld(t)
  await world.bank('BAD')
  const bad = await world.content('BAD', 'one')
  await world.bank('HARMLESS', { policy: { suppresses: 'all' } })
  const { db, principal } = world
  const pause = (on: boolean) =>
    setPaused(db, { scope: 'all', on, principal, nowMs: world.clock() })
  await pause(true)
  await world.sight([{ did: alice, bytes: 'one', rkey: 'a' }])
  await world.settle()
  world.advance(1000)
  const nowMs = world.clock()
  await moveContent(db, { bank: 'BAD', content: bad, to: 'HARMLESS', principal, nowMs })
  await world.refreshBanks()
  await world.settle()
  await pause(false)
  await world.settle()
  assert.deepEqual(world.pds.takenDown(), [])
  const states = await db<{ state: string }[]>`select distinct state from action`
  assert.deepEqual(
    states.map(({ state }) => state),
    ['held'],
  )
})

test('what came by while a content was disabled is found when it is enabled again', async (t) => {
  const world = await createWorld(t)
  await world.bank('BAD')
  const content = await world.content('BAD', 'one')
  await world.sight([{ did: alice, bytes: 'one', rkey: 'a' }])
  await world.settle()
  const { db, principal } = world
  const set = async (disableUntilTs: number) => {
    world.advance(3600_000)
    const nowMs = world.clock()
    await setContent(db, {
      bank: 'BAD',
      content,
      change: 'set',
      disableUntilTs,
      principal,
      nowMs,
    })
    await world.refreshBanks()
    await world.settle()
  }
  await set(0)
  await world.sight([{ did: bob, bytes: 'one', rkey: 'b' }])
  await world.settle()
  assert.deepEqual(await outcomes(world), ['a acted exact'])
  await set(1)
  const enabled = await outcomes(world)
  assert.ok(enabled.includes('b held retroactive'), enabled.join())
  await set(0)
  await set(1)
  assert.deepEqual(await outcomes(world), enabled, 'what was decided is not asked about again')
})

test('a scan that overtakes the pass decides what counts again for every earlier place', async (t) => {
  const world = await createWorld(t)
  await world.bank('SEEN', { mode: 'observe' })
  await world.content('SEEN', 'one')
  await world.bank('BAD')
  await world.content('BAD', near('one'))
  await world.bank('HARMLESS', { policy: { suppresses: 'all' } })
  const harmless = await world.content('HARMLESS', near('one'))
  await world.sight([{ did: alice, bytes: 'one', rkey: 'a' }])
  await world.settle()
  assert.deepEqual(await outcomes(world), ['a observed bank-observe'])
  world.advance(3600_000)
  const { db, principal } = world
  await removeContent(db, { bank: 'HARMLESS', content: harmless, principal, nowMs: world.clock() })
  await world.refreshBanks()
  await world.sight([{ did: bob, bytes: 'one', rkey: 'b' }])
  while ((await world.scanDue()) > 0);
  assert.deepEqual(await outcomes(world), [
    'a observed bank-observe',
    'b held perceptual',
    'a held retroactive',
  ])
})

test("a stored picture's other views come back with its job, turned and all, and go with its row", async (t) => {
  const world = await createWorld(t)
  const seen: Signals[] = []
  const matcher: PipelineOptions['matcher'] = {
    ...world.matcher,
    match: async (signals) => {
      seen.push(signals)
      return world.matcher.match(signals)
    },
  }
  const scan = async () => {
    for (const job of await claimScans(world.db, { limit: 9, nowMs: world.clock() }))
      await settle(world.db, await scanBlob(job, { ...world.pipeline, matcher }, signal))
  }
  await world.sight([{ did: alice, bytes: 'frame[inner]', rkey: 'a' }])
  await scan()
  const fresh = seen.at(-1)
  assert.equal(fresh?.variants?.length, 15)
  const [view] = await world.db<{ variant: string; pdq: string }[]>`
    select variant, encode(pdq, 'hex') as pdq from blob_variant`
  assert.deepEqual([view?.variant, view?.pdq], ['trim', pdqOfBytes('inner')])
  await world.bank('BAD')
  const content = await world.content('BAD', near('inner'))
  const change = { content, bank: 1 }
  await startPass(world, change)
  // The pass finds it by the stored view: the whole picture and the inner one have nothing in common.
  const [pass] = await claimJobs(world.db, { kind: 'rematch', limit: 1, nowMs: world.clock() })
  assert.ok(pass)
  const compared: Signals[] = []
  const banks = world.pipeline.banks
  const spy = {
    ...world.matcher,
    match: async (signals: Signals) => {
      compared.push(signals)
      return world.matcher.match(signals)
    },
  }
  const options = { db: world.db, matcher: spy, banks, clock: world.clock, onRaised: () => {} }
  await runRematch(pass, options, signal)
  assert.deepEqual(compared, [fresh])

  await world.database.owner`delete from sighting`
  await world.database.owner.unsafe('analyze blob')
  assert.equal(await trimBlobs(world.db, 0), 1)
  assert.equal((await world.db`select from blob_variant`).length, 0)
})

test('a pass for one content asks the index about those that come near it only', async (t) => {
  const world = await createWorld(t)
  await world.bank('BAD')
  await world.sight(
    Array.from({ length: 60 }, (_, n) => ({ did: didOf(n), bytes: `p${n}`, rkey: 'a' })),
  )
  await world.settle()
  await world.content('BAD', near('p7'))
  const [pass] = await claimJobs(world.db, { kind: 'rematch', limit: 1, nowMs: world.clock() })
  assert.ok(pass)
  let asked = 0
  const matcher = {
    ...world.matcher,
    match: (signals: Signals) => {
      asked += 1
      return world.matcher.match(signals)
    },
  }
  const { db, clock } = world
  const { banks } = world.pipeline
  await runRematch(pass, { db, matcher, banks, clock, onRaised: () => {} }, signal)
  assert.equal(asked, 1)
  await world.settle()
  assert.deepEqual(await outcomes(world), ['a held retroactive'])
})
