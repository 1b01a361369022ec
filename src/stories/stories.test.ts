// The stories of the data model, each walked from end to end: real Postgres, real steps, hosts in memory.
// Story (h), killed between any two steps, is src/crash.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { actionKinds } from '../domain/bank.ts'
import { claimAction, finish } from '../steps/act.ts'
import { claimScans, settle } from '../steps/scan.ts'
import { decideCase } from '../steps/withdraw.ts'
import type { CaseVerb } from '../steps/withdraw.ts'
import { scanBlob } from '../pipeline.ts'
import { claimUrls, resolveUrl } from '../roles/announced-url.ts'
import { workRemovals } from '../roles/keep-house.ts'
import { alice, bob, createWorld, didOf, digestOfBytes, pdqOfBytes } from '../testing/world.ts'
import type { World } from '../testing/world.ts'

const signal = new AbortController().signal

function decide(world: World, caseNumber: number, verb: CaseVerb) {
  const { principal } = world
  return decideCase(world.db, { caseNumber, verb, principal, nowMs: world.clock() })
}

async function count(world: World, what: string): Promise<number> {
  const [row] = await world.db.unsafe<{ n: number }[]>(`select count(*) as n from ${what}`)
  return row?.n ?? 0
}

async function assertLedgerHolds(world: World): Promise<void> {
  const { faults, openIntents } = await world.ledger()
  assert.deepEqual(faults, [])
  assert.equal(openIntents, 0)
}

test('story (a): a post with two images is one step in, two jobs, two settles, one record action with two causes', async (t) => {
  const world = await createWorld(t)
  await world.bank('BAD')
  await world.content('BAD', 'one')
  await world.content('BAD', 'two')
  const seen = ['one', 'two'].map((bytes) => ({ did: alice, bytes, rkey: 'a' }))
  assert.equal(await world.sight(seen), 'taken')
  assert.equal(await count(world, 'sighting'), 2)
  const jobs = await claimScans(world.db, { limit: 10, nowMs: world.clock() })
  assert.equal(jobs.length, 2)
  for (const job of jobs) {
    const settled = await settle(world.db, await scanBlob(job, world.pipeline, signal))
    assert.deepEqual([settled.result, settled.decisions], ['settled', 1])
  }
  assert.equal(await count(world, "action where kind = 'takedown-record'"), 1)
  assert.equal(
    await count(
      world,
      "action_cause c join action a on a.id = c.action where a.kind = 'takedown-record'",
    ),
    2,
  )
  await world.settle()
  assert.equal(world.pds.sets.length, 3)
  await assertLedgerHolds(world)
})

test('story (b): the same CID ten thousand times is one job, one fetch, one case, and the caps hold', async (t) => {
  const world = await createWorld(t)
  await world.bank('BAD', { mode: 'hold' })
  await world.content('BAD', [{ type: 'pdq', value: pdqOfBytes('one'), quality: 100 }])
  for (let batch = 0; batch < 20; batch += 1) {
    await world.sight(
      Array.from({ length: 500 }, (_, n) => ({
        did: didOf(batch * 500 + n),
        bytes: 'one',
        rkey: 'a',
      })),
    )
  }
  assert.equal(await count(world, "job where kind = 'scan'"), 1)
  while ((await world.scanDue()) > 0);
  assert.equal(world.hosts.fetched.length, 1)
  assert.equal(await count(world, 'case_file'), 1)
  assert.equal(await count(world, 'decision'), 10_000)
  await world.sequence()
  const confirmed = await decide(world, 1, 'confirm')
  assert.deepEqual([confirmed.actions, confirmed.subjects], [20_000, 10_000])
  await world.settle()
  assert.equal(world.pds.sets.length, world.limits.takedownsPerDay)
  assert.equal(await count(world, "action where state = 'planned'"), 19_800)
})

test('story (c): a content that 300 earlier blobs match makes one held case that names 300 blobs and 210 accounts', async (t) => {
  const world = await createWorld(t)
  await world.bank('BAD')
  await world.sight(
    Array.from({ length: 300 }, (_, n) => ({
      did: didOf(n % 210),
      bytes: `one~${n}`,
      rkey: `r${n}`,
    })),
  )
  await world.sight([{ did: alice, bytes: 'another', rkey: 'x' }])
  await world.settle()
  const fetched = world.hosts.fetched.length
  await world.content('BAD', [{ type: 'pdq', value: pdqOfBytes('one'), quality: 100 }])
  await world.settle()
  await world.content('BAD', 'one~7')
  await world.settle()
  const cases = await world.db<{ state: string; blobs: number; accounts: number }[]>`
    select c.state, count(distinct b.blob_cid) as blobs, count(distinct d.account) as accounts
    from case_file c join case_blob b on b.case_file = c.id join decision d on d.blob_cid = b.blob_cid
    group by c.id`
  assert.deepEqual(
    [...cases].map((row) => ({ ...row })),
    [{ state: 'open', blobs: 300, accounts: 210 }],
  )
  assert.equal(
    world.hosts.fetched.length,
    fetched,
    'stored signals are matched, nothing is fetched',
  )
  assert.equal(world.pds.sets.length, 0)
  assert.equal(await count(world, "action where state <> 'held'"), 0)
  await assertLedgerHolds(world)
})

test('story (d): an upload announced by its address is known when the post comes later: no second fetch, one case', async (t) => {
  const world = await createWorld(t)
  await world.bank('BAD')
  await world.content('BAD', [{ type: 'pdq', value: pdqOfBytes('one'), quality: 100 }])
  const url = 'https://upload.test/1'
  world.hosts.keep(url, 'one')
  await world.take(
    {
      delivery: { endpoint: 'e', id: '1', contentId: 'c' },
      urls: [{ did: alice, url, contentId: 'c' }],
    },
    { source: 'webhook' },
  )
  const options = {
    db: world.db,
    fetcher: world.hosts.fetcher,
    clock: world.clock,
    onSettled: () => undefined,
    onGivenUp: () => assert.fail('the address gives bytes'),
  }
  const [job] = await claimUrls(options, 5)
  assert.ok(job)
  await resolveUrl(job, options, signal)
  world.hosts.keep('https://pds.test', 'one')
  await world.settle()
  const before = world.hosts.fetched.length
  world.advance(180_000)
  await world.sight([{ did: alice, bytes: 'one', rkey: 'a' }])
  await world.settle()
  assert.equal(world.hosts.fetched.length, before)
  const decisions = await world.db`select source, rkey, outcome from decision order by id`
  assert.deepEqual(
    decisions.map((row) => [row['source'], row['rkey'], row['outcome']]),
    [
      ['webhook', null, 'held'],
      ['firehose', 'a', 'held'],
    ],
  )
  assert.equal(await count(world, 'case_file'), 1)
})

test('story (e): a takedown over a PDS outage, reversed meanwhile by a person, is not sent', async (t) => {
  const world = await createWorld(t)
  await world.bank('BAD', { mode: 'hold' })
  await world.content('BAD', 'one')
  await world.sight([{ did: alice, bytes: 'one', rkey: 'a' }])
  await world.settle()
  await decide(world, 1, 'confirm')
  world.pds.down(true)
  await world.sequence()
  await world.actDue()
  world.advance(3600_000)
  await world.actDue()
  assert.equal(world.pds.sets.length, 0)
  await decide(world, 1, 'overturn')
  world.pds.down(false)
  for (let hour = 0; hour < 3; hour += 1) {
    world.advance(3600_000)
    await world.settle()
  }
  assert.deepEqual(world.pds.takenDown(), [])
  assert.ok(world.pds.sets.every((set) => !set.applied))
  world.advance(1000)
  await world.sight([{ did: alice, bytes: 'one', rkey: 'a' }])
  await world.settle()
  assert.deepEqual(world.pds.takenDown(), [], 'the standing keeps it undone')
  await assertLedgerHolds(world)
})

test('story (e): reversed while the request is under way, it is undone once it has arrived', async (t) => {
  const world = await createWorld(t)
  await world.bank('BAD', { mode: 'hold' })
  await world.content('BAD', 'one')
  await world.sight([{ did: alice, bytes: 'one', rkey: 'a' }])
  await world.settle()
  await decide(world, 1, 'confirm')
  await world.sequence()
  const flying = []
  for (;;) {
    const claimed = await claimAction(world.db, { kinds: [...actionKinds], nowMs: world.clock() })
    if (claimed === undefined) break
    flying.push({ claimed, sent: await world.send(claimed) })
  }
  assert.equal(world.pds.takenDown().length, 2)
  await decide(world, 1, 'overturn')
  await world.settle()
  assert.equal(world.pds.takenDown().length, 2, 'the reversal waits for the answer')
  for (const { claimed, sent } of flying)
    await finish(world.db, { claimed, ...sent, nowMs: world.clock(), random: 0 })
  await world.settle()
  assert.deepEqual(world.pds.takenDown(), [])
  assert.equal(world.pds.sets.length, 4)
  await assertLedgerHolds(world)
})

test('story (f): a signal floods while four processes decide and act, and at most its limit is released', async (t) => {
  const world = await createWorld(t)
  await world.bank('BAD')
  const content = await world.content('BAD', [
    { type: 'pdq', value: pdqOfBytes('one'), quality: 100 },
  ])
  await world.content('BAD', 'fine')
  const policy = { perceptual: 'act' as const }
  await world.changePolicy('BAD', policy)
  await world.sight(
    Array.from({ length: 120 }, (_, n) => ({ did: didOf(n), bytes: `one~${n}`, rkey: 'a' })),
  )
  const actor = async () => {
    for (let round = 0; round < 40; round += 1) {
      await world.scanDue()
      await world.actDue()
    }
  }
  const releasing = async () => {
    for (let round = 0; round < 40; round += 1) await world.sequence()
  }
  await Promise.all([actor(), actor(), actor(), actor(), releasing()])
  await world.settle()
  assert.equal(world.pds.sets.length, world.limits.actionsPerContent)
  assert.equal(await count(world, "action where state = 'held' and waiting = 'flood'"), 190)
  assert.equal(await count(world, `bank_content where held_at is not null and id = ${content}`), 1)
  await world.sight([{ did: bob, bytes: 'fine', rkey: 'b' }])
  await world.settle()
  assert.ok(world.pds.takenDown().includes(`${bob} ${digestOfBytes('fine')}`), 'others go on')
  // The intents of what the flood stopped stay open, in view.
  assert.deepEqual((await world.ledger()).faults, [])
})

test('story (g): a person asks for erasure: one account row, private values gone, labels negated, the ledger verifies', async (t) => {
  const world = await createWorld(t)
  await world.bank('SPAM', { class: 'open', policy: { actions: ['label'], label: 'spam' } })
  await world.content('SPAM', 'one')
  await world.sight([
    { did: alice, bytes: 'one', rkey: 'a' },
    { did: bob, bytes: 'one', rkey: 'b' },
  ])
  await world.settle()
  const before = (await world.ledger()).commitments
  assert.equal(before.erased, 0)
  await world.take({ accounts: [{ did: alice, status: 'deleted' }] })
  for (let round = 0; round < 2; round += 1) {
    await workRemovals(world.db, world.clock())
    await world.settle()
  }
  assert.equal(await count(world, 'account where erased_at is not null and did is null'), 1)
  assert.equal(await count(world, 'account where did is not null'), 1)
  const labels = await world.db`select neg from label order by seq`
  assert.deepEqual(
    labels.map((row) => row['neg']),
    [false, true],
  )
  const { commitments } = await world.ledger()
  assert.ok(commitments.erased > 0)
  assert.ok(commitments.opened > 0)
  await assertLedgerHolds(world)
})
