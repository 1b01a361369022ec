import assert from 'node:assert/strict'
import { test } from 'node:test'
import { callStep } from '../db/client.ts'
import { decideCase } from '../steps/withdraw.ts'
import { whereNamed } from '../testing/where-named.ts'
import { alice, bob, createWorld, didOf } from '../testing/world.ts'
import type { World } from '../testing/world.ts'
import { houseLimits, noteCounts, sweepOld, trimBlobs, workRemovals } from './keep-house.ts'

const hourMs = 3600_000

async function deleteAccount(world: World, did: string): Promise<void> {
  await world.take({ accounts: [{ did, status: 'deleted' }] })
}

test('a deleted account is named nowhere once it is erased, and the ledger still holds', async (t) => {
  const world = await createWorld(t)
  await world.bank('SPAM', {
    class: 'open',
    policy: { actions: ['takedown-blob', 'takedown-record', 'label'], label: 'spam' },
  })
  await world.content('SPAM', 'one')
  await world.sight([
    { did: alice, bytes: 'one', rkey: 'a' },
    { did: alice, bytes: 'clean', rkey: 'b' },
    { did: bob, bytes: 'one', rkey: 'c' },
  ])
  await world.take({
    undecodable: [{ seq: 7, bytes: Buffer.from(`frame of ${alice}`), error: 'bad' }],
    urls: [{ did: alice, url: `https://cdn.test/${alice}/x`, contentId: `at://${alice}/x` }],
    delivery: { endpoint: 'e', id: 'i' },
  })
  await world.settle()
  assert.ok(
    (await whereNamed(world.database.owner, alice)).length >= 4,
    'the search finds what is there',
  )
  await deleteAccount(world, alice)
  assert.equal(
    (await workRemovals(world.db, world.clock())).accounts,
    0,
    'its label is negated first',
  )
  await world.settle()
  const [label] = await world.db`select neg from label where uri like ${`at://${alice}%`}`
  assert.equal(label?.['neg'], true)
  assert.equal((await workRemovals(world.db, world.clock())).accounts, 1)
  await world.settle()
  // A negation has to name what it negates; it goes after a month.
  assert.deepEqual(await whereNamed(world.database.owner, alice), ['label.uri'])
  world.advance((houseLimits.negatedLabelKeepDays + 1) * 24 * hourMs)
  await sweepOld(world.db, world.clock())
  assert.deepEqual(await whereNamed(world.database.owner, alice), [])
  assert.ok((await whereNamed(world.database.owner, bob)).length > 0)
  const { faults, commitments } = await world.ledger()
  assert.deepEqual(faults, [])
  assert.ok(commitments.erased > 0 && commitments.opened > 0)
})

test('an erasure waits until what waits for its entry is one, and names that entry', async (t) => {
  const world = await createWorld(t, { mode: 'observe' })
  await world.bank('BAD')
  await world.content('BAD', 'one')
  await world.sight([{ did: alice, bytes: 'one', rkey: 'a' }])
  while ((await world.scanDue()) > 0);
  await deleteAccount(world, alice)
  assert.equal((await workRemovals(world.db, world.clock())).accounts, 0)
  await world.sequence()
  assert.equal((await workRemovals(world.db, world.clock())).accounts, 1)
  assert.deepEqual(await whereNamed(world.database.owner, alice), [])
  await world.sequence()
  const { faults, documents, commitments } = await world.ledger()
  assert.deepEqual(faults, [])
  assert.ok(commitments.erased > 0)
  const decided = documents.filter((entry) => entry.type.startsWith('decision'))
  const erased = documents.find((entry) => entry.type === 'account.erased')
  assert.deepEqual(
    erased?.pub['erased'],
    decided.map((entry) => [entry.seq, entry.seq]),
  )
})

test('an account under an open case or a legal hold stays until that is over', async (t) => {
  const world = await createWorld(t)
  await world.bank('BAD', { mode: 'hold' })
  await world.content('BAD', 'one')
  await world.sight([{ did: alice, bytes: 'one', rkey: 'a' }])
  await world.settle()
  await deleteAccount(world, alice)
  const removed = async () => (await workRemovals(world.db, world.clock())).accounts
  assert.equal(await removed(), 0)
  const { owner } = world.database
  await owner`insert into legal_hold (case_file, reason, principal, at) values (1, 'letter', ${world.principal}, now())`
  await decideCase(world.db, {
    caseNumber: 1,
    verb: 'release',
    principal: world.principal,
    nowMs: world.clock(),
  })
  await world.settle()
  assert.equal(await removed(), 0)
  await owner`update legal_hold set lifted_at = now()`
  const [row] = await owner<{ id: number }[]>`select id from account where did = ${alice}`
  await owner`insert into legal_hold (account, reason, principal, at) values (${row?.id ?? 0}, 'x', ${world.principal}, now())`
  assert.equal(await removed(), 0)
  await owner`update legal_hold set lifted_at = now()`
  assert.equal(await removed(), 1)
  assert.equal(await removed(), 0)
})

test('accounts that wait do not stand before those that may go', async (t) => {
  const world = await createWorld(t)
  const count = houseLimits.removalsPerStep + 20
  await world.sight(Array.from({ length: count }, (_, n) => ({ did: didOf(n), bytes: 'x' })))
  const { owner } = world.database
  await owner`insert into legal_hold (account, reason, principal, at)
    select id, 'x', ${world.principal}, now() from account where id <= ${count - 3}`
  await world.take({
    accounts: Array.from({ length: count }, (_, n) => ({
      did: didOf(n),
      status: 'deleted' as const,
    })),
  })
  const erased = await workRemovals(world.db, world.clock())
  assert.equal(erased.accounts, 3)
})

test('a deleted record takes its sightings along, but not those that came after', async (t) => {
  const world = await createWorld(t)
  const place = { did: alice, collection: 'app.bsky.feed.post', rkey: 'a' }
  const seen = (rev: string) => ({
    ...place,
    rev,
    blobCid: 'bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku',
    source: 'firehose' as const,
  })
  await world.take({ sightings: [seen('3k1')] })
  await world.take({ recordDeletes: [{ ...place, rev: '3k2' }] })
  await world.take({ sightings: [seen('3k3')] })
  assert.equal((await workRemovals(world.db, world.clock())).records, 1)
  const rows = await world.db`select rev from sighting`
  assert.deepEqual(
    rows.map((row) => row['rev']),
    ['3k3'],
  )
})

test('the counts of an hour add up and are entered once, also for the hours of an outage', async (t) => {
  const world = await createWorld(t)
  await world.bank('BAD', { mode: 'observe' })
  await world.content('BAD', 'bad')
  world.hosts.home(bob, { kind: 'unavailable', reason: 'no-pds' })
  await world.sight([
    { did: alice, bytes: 'bad', rkey: 'a' },
    { did: alice, bytes: 'dim', rkey: 'b' },
    { did: alice, bytes: 'dim', rkey: 'c' },
    { did: bob, bytes: 'gone', rkey: 'd' },
  ])
  await world.settle()
  await world.sight([{ did: alice, bytes: 'open', rkey: 'e' }])
  world.advance(5 * hourMs)
  await noteCounts(world.db, world.clock())
  await world.sequence()
  await noteCounts(world.db, world.clock())
  await world.sequence()
  const { documents, faults } = await world.ledger()
  assert.deepEqual(faults, [])
  const counts = documents.filter((entry) => entry.type === 'counts').map((entry) => entry.pub)
  assert.equal(counts.length, 15)
  const [busy, ...others] = counts.filter((pub) => pub['seen'] !== 0)
  assert.equal(others.length, 0)
  assert.deepEqual(
    { ...busy, from: undefined, to: undefined },
    {
      source: 'firehose',
      from: undefined,
      to: undefined,
      seen: 5,
      blobs: 4,
      scanned: 2,
      lowQuality: 1,
      clear: 1,
      matched: 1,
      unscannable: 1,
      unscannableBy: { 'no-pds': 1 },
      open: 1,
      openGaps: 0,
      backlog: 1,
    },
  )
})

test('trimming the blob table takes the oldest without a sighting and nothing else', async (t) => {
  const world = await createWorld(t)
  await world.bank('BAD', { mode: 'observe' })
  await world.content('BAD', 'bad')
  await world.sight(['bad', 'old', 'seen'].map((bytes) => ({ did: alice, bytes, rkey: bytes })))
  await world.settle()
  const { owner } = world.database
  await owner`delete from sighting where rkey in ('old', 'bad')`
  await owner`analyze blob`
  assert.equal(await trimBlobs(world.db, 0), 1)
  const rows = await world.db`select verdict from blob order by verdict`
  assert.deepEqual(
    rows.map((row) => row['verdict']),
    ['clear', 'matched'],
  )
})

test('a person may ask for unscannable blobs again, and the ledger says so', async (t) => {
  const world = await createWorld(t)
  world.hosts.home(bob, { kind: 'unavailable', reason: 'no-pds' })
  await world.sight([{ did: bob, bytes: 'late', rkey: 'd' }])
  await world.settle()
  world.hosts.home(bob, { kind: 'found', pds: 'https://pds.test' })
  const [row] = await callStep<{ raised: number }[]>(world.db, 'retry_unscannable_v1', {
    now: new Date(world.clock()),
    reason: 'no-pds',
    limit: 10,
    principal: world.principal,
  })
  assert.equal(row?.raised, 1)
  await world.settle()
  const [blob] = await world.db`select verdict from blob`
  assert.equal(blob?.['verdict'], 'clear')
  const { documents } = await world.ledger()
  assert.ok(documents.some((entry) => entry.type === 'unscannable.retried'))
})
