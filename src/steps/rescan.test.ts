// What a change of a bank does to what was scanned before: found again, decided by a person, in one case a pass.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { alice, bob, createWorld, didOf, pdqOfBytes } from '../testing/world.ts'
import { setContent } from '../banks/bank-store.ts'
import { claimScans } from './scan.ts'
import { decideCase } from './withdraw.ts'
import { scanned, outcomes } from './scan-in-test.ts'

test('a content added to a bank finds the blob again and every earlier place is decided by a person', async (t) => {
  const world = await createWorld(t)
  await world.bank('SEEN', { mode: 'observe' })
  await world.content('SEEN', 'one')
  await world.bank('BAD')
  await world.sight([{ did: alice, bytes: 'one', rkey: 'a' }])
  await world.settle()
  world.advance(3600_000)
  await world.content('BAD', 'one')
  await world.settle()
  assert.deepEqual(await outcomes(world), ['a observed bank-observe', 'a held retroactive'])
})

test('a wider distance and a content enabled again find what was scanned before', async (t) => {
  const world = await createWorld(t)
  await world.bank('BAD', { policy: { pdqDistanceMax: 2 } })
  const fiveOff = (BigInt(`0x${pdqOfBytes('one')}`) ^ 0x1fn).toString(16).padStart(64, '0')
  const near = [{ type: 'pdq' as const, value: fiveOff, quality: 100 }]
  await world.content('BAD', near)
  const content = await world.content('BAD', 'two')
  const { principal, db } = world
  const change = { bank: 'BAD', content, change: 'set' as const, principal, nowMs: world.clock() }
  await setContent(db, { ...change, disableUntilTs: 0 })
  await world.refreshBanks()
  await world.sight([
    { did: alice, bytes: 'one', rkey: 'a' },
    { did: alice, bytes: 'two', rkey: 'b' },
  ])
  await world.settle()
  assert.deepEqual(await outcomes(world), [])
  world.advance(1000)
  await setContent(db, { ...change, disableUntilTs: 1 })
  await world.refreshBanks()
  await world.settle()
  assert.deepEqual(await outcomes(world), ['b held retroactive'])
  await world.changePolicy('BAD', { pdqDistanceMax: 31 })
  await world.settle()
  assert.deepEqual(await outcomes(world), ['b held retroactive', 'a held retroactive'])
})

test('a sighting that overtakes the pass over stored signals takes no place away from it', async (t) => {
  const world = await createWorld(t)
  await world.bank('SEEN', { mode: 'observe' })
  await world.content('SEEN', 'one')
  await world.bank('BAD')
  await world.sight([{ did: alice, bytes: 'one', rkey: 'a' }])
  await world.settle()
  world.advance(3600_000)
  await world.content('BAD', 'one')
  // The scan of a new sighting runs first, and marks the blob as matched with the banks of now.
  await world.sight([{ did: bob, bytes: 'one', rkey: 'b' }])
  while ((await world.scanDue()) > 0);
  await world.settle()
  assert.deepEqual(
    (await outcomes(world)).toSorted(),
    ['a held retroactive', 'a observed bank-observe', 'b acted exact'].toSorted(),
  )
})

test('the pass puts all it finds into one case, and what it finds after the decision into the next', async (t) => {
  const world = await createWorld(t)
  await world.bank('BAD')
  const names = Array.from({ length: 9 }, (_, n) => `one~${n}`)
  await world.sight(names.map((bytes, n) => ({ did: didOf(n % 3), bytes, rkey: `r${n}` })))
  await world.settle()
  await world.content('BAD', [{ type: 'pdq', value: pdqOfBytes('one'), quality: 100 }])
  await world.rematchDue()
  const [first, ...rest] = await claimScans(world.db, { limit: 20, nowMs: world.clock() })
  assert.ok(first)
  assert.equal(rest.length, 8)
  const settled = await scanned(world, first)
  await decideCase(world.db, {
    caseNumber: settled.case_file ?? 0,
    verb: 'confirm',
    principal: world.principal,
    nowMs: world.clock(),
  })
  for (const job of rest) await scanned(world, job)
  const cases = await world.db<{ state: string; blobs: number }[]>`
    select c.state, count(*) as blobs from case_file c join case_blob b on b.case_file = c.id
    group by c.id order by c.id`
  assert.deepEqual(
    cases.map((one) => [one.state, one.blobs]),
    [
      ['confirmed', 1],
      ['open', 8],
    ],
  )
  await world.settle()
  const openings = (await world.ledger()).documents.filter((entry) => entry.type === 'case.opened')
  assert.equal(openings.length, 2)
  assert.deepEqual((await world.ledger()).faults, [])
})
