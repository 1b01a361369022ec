import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  alice,
  bob,
  claimOne,
  createWorld,
  didOf,
  digestOfBytes,
  pdqOfBytes,
  worldPds,
} from '../testing/world.ts'
import { claimScans, scanLimits, settle } from './scan.ts'
import { decideCase } from './withdraw.ts'
import { scanBlob } from '../pipeline.ts'
import { signal, scanned, outcomes, actions } from './scan-in-test.ts'

test('a lease that runs out counts as a crash, and the third makes the blob unscannable', async (t) => {
  const world = await createWorld(t)
  await world.sight([{ did: alice, bytes: 'one', rkey: 'a' }])
  for (const crashes of [0, 1, 2, 3]) {
    const job = await claimOne(world)
    assert.equal(job.crashes, crashes)
    assert.equal((await claimScans(world.db, { limit: 9, nowMs: world.clock() })).length, 0)
    world.advance(scanLimits.leaseSeconds * 1000 + 1)
  }
  await world.settle()
  const [blob] = await world.db`select verdict, reason from blob`
  assert.deepEqual([blob?.['verdict'], blob?.['reason']], ['unscannable', 'worker-crash'])
  assert.equal(world.hosts.fetched.length, 0)
})

test('a worker whose lease was lost writes nothing', async (t) => {
  const world = await createWorld(t)
  await world.bank('BAD')
  await world.content('BAD', 'one')
  await world.sight([{ did: alice, bytes: 'one', rkey: 'a' }])
  const slow = await claimOne(world)
  world.advance(scanLimits.leaseSeconds * 1000 + 1)
  const quick = await claimOne(world)
  assert.deepEqual((await scanned(world, slow)).result, 'lost')
  assert.deepEqual(await outcomes(world), [])
  assert.equal((await world.db`select from blob`).length, 0)
  assert.equal((await scanned(world, quick)).result, 'settled')
  assert.equal((await scanned(world, quick)).result, 'lost', 'settled twice counts once')
  assert.equal((await outcomes(world)).length, 1)
})

test('a job that was asked for again while it ran runs once more', async (t) => {
  const world = await createWorld(t)
  await world.bank('BAD')
  await world.content('BAD', 'one')
  await world.sight([{ did: alice, bytes: 'one', rkey: 'a' }])
  const job = await claimOne(world)
  await world.sight([{ did: bob, bytes: 'one', rkey: 'b' }])
  assert.equal((await scanned(world, job)).result, 'again')
  assert.equal((await scanned(world, await claimOne(world))).result, 'settled')
  assert.deepEqual(await outcomes(world), ['a acted exact', 'b acted exact'])
})

test('a bank that changed between match and settle is matched again', async (t) => {
  const world = await createWorld(t)
  await world.bank('BAD')
  await world.sight([{ did: alice, bytes: 'one', rkey: 'a' }])
  const job = await claimOne(world)
  const found = await scanBlob(job, world.pipeline, signal)
  await world.content('BAD', 'one')
  assert.equal((await settle(world.db, found)).result, 'again')
  assert.equal((await scanned(world, await claimOne(world))).result, 'settled')
  const [blob] = await world.db`select verdict, bank_generation from blob`
  assert.deepEqual([blob?.['verdict'], blob?.['bank_generation']], ['matched', 2])
})

test('what only the host did is settled for that host, and the next sighting tries the next host', async (t) => {
  const world = await createWorld(t)
  const bad = 'https://bad.test'
  world.hosts.home(alice, { kind: 'found', pds: bad })
  world.hosts.answer(bad, { kind: 'unavailable', host: bad, reason: 'wrong-cid' })
  await world.sight([{ did: alice, bytes: 'one', rkey: 'a', host: bad }])
  await world.settle()
  const [blob] = await world.db`select verdict, reason from blob`
  assert.deepEqual([blob?.['verdict'], blob?.['reason']], ['unscannable', 'wrong-cid'])
  const [made] = await world.db`select host, outcome, until from fetch_try`
  assert.deepEqual([made?.['host'], made?.['outcome'], made?.['until']], [bad, 'wrong-cid', null])
  await world.sight([{ did: bob, bytes: 'one', rkey: 'b' }])
  await world.settle()
  const hosts = world.hosts.fetched.map((line) => line.split(' ')[0])
  assert.deepEqual(hosts, [bad, worldPds], 'the host that lied is not asked twice')
  const [now] = await world.db`select verdict, coverage from blob`
  assert.deepEqual([now?.['verdict'], now?.['coverage']], ['clear', 15])
  assert.equal((await world.db`select from fetch_try`).length, 0)
})

test('more hosts than one run may ask are asked in the next, until one has the bytes', async (t) => {
  const world = await createWorld(t)
  const seen = Array.from({ length: 7 }, (_, n) => ({ did: didOf(n), host: `https://h${n}.test` }))
  for (const { did, host } of seen) {
    world.hosts.home(did, { kind: 'found', pds: host })
    world.hosts.answer(host, { kind: 'unavailable', host, reason: 'wrong-cid' })
  }
  const last = seen[0]!
  world.hosts.answer(last.host, undefined)
  for (const { did, host } of seen) {
    await world.sight([{ did, bytes: 'one', rkey: 'a', host }])
    world.advance(10)
  }
  for (let tries = 0; tries < 3; tries += 1) {
    await world.settle()
    world.advance(60_000)
  }
  assert.equal(new Set(world.hosts.fetched).size, 7)
  assert.equal(world.hosts.fetched.length, 7)
  const [blob] = await world.db`select verdict from blob`
  assert.equal(blob?.['verdict'], 'clear')
})

test('a host that asks to wait is waited for, and the blob is unscannable when three days have passed', async (t) => {
  const world = await createWorld(t)
  const deferred = () => ({
    kind: 'deferred' as const,
    host: worldPds,
    reason: 'rate-limited' as const,
    untilMs: world.clock() + 600_000,
  })
  world.hosts.answer(worldPds, deferred())
  await world.sight([{ did: alice, bytes: 'one', rkey: 'a' }])
  await world.settle()
  world.advance(599_000)
  await world.settle()
  assert.equal(world.hosts.fetched.length, 1)
  const [job] = await world.db`select reason, lease_token from job`
  assert.deepEqual([job?.['reason'], job?.['lease_token']], ['rate-limited', null])
  assert.equal((await world.db`select from blob`).length, 0, 'not settled is not clear')
  world.advance(73 * 3600_000)
  world.hosts.answer(worldPds, deferred())
  await world.settle()
  const [blob] = await world.db`select verdict, reason from blob`
  assert.deepEqual([blob?.['verdict'], blob?.['reason']], ['unscannable', 'rate-limited'])
  world.hosts.answer(worldPds, undefined)
  await world.sight([{ did: alice, bytes: 'one', rkey: 'b' }])
  world.advance(601_000)
  await world.settle()
  const [again] = await world.db`select verdict from blob`
  assert.equal(again?.['verdict'], 'clear')
})

test('a picture that only its bytes betray is still compared when the first bank only observes its CID', async (t) => {
  const world = await createWorld(t)
  await world.bank('SEEN', { mode: 'observe' })
  await world.content('SEEN', 'one')
  await world.bank('BAD', { policy: { perceptual: 'act' } })
  await world.content('BAD', [{ type: 'pdq', value: pdqOfBytes('one'), quality: 100 }])
  world.hosts.answer(worldPds, {
    kind: 'deferred',
    host: worldPds,
    reason: 'network',
    untilMs: world.clock(),
  })
  await world.sight([{ did: alice, bytes: 'one', rkey: 'a' }])
  await world.settle()
  assert.deepEqual(await outcomes(world), [])
  world.hosts.answer(worldPds, undefined)
  world.advance(10_000)
  await world.settle()
  assert.deepEqual(await outcomes(world), ['a acted perceptual-allowed'])
})

test('six hundred places are decided page by page, each once', async (t) => {
  const world = await createWorld(t, { mode: 'observe' })
  await world.bank('BAD')
  await world.content('BAD', 'one')
  await world.sight(
    Array.from({ length: 600 }, (_, n) => ({ did: didOf(n % 7), bytes: 'one', rkey: `r${n}` })),
  )
  assert.equal((await scanned(world, await claimOne(world))).result, 'again')
  assert.equal((await scanned(world, await claimOne(world))).result, 'settled')
  const rkeys = await world.db`select distinct account, rkey from decision`
  assert.deepEqual([rkeys.length, (await outcomes(world)).length], [600, 600])
  assert.equal(world.hosts.fetched.length, 1)
})

test('a record with two bad pictures has one record action with both causes', async (t) => {
  const world = await createWorld(t)
  await world.bank('BAD')
  const contents = [await world.content('BAD', 'one'), await world.content('BAD', 'two')]
  await world.sight([
    { did: alice, bytes: 'one', rkey: 'a' },
    { did: alice, bytes: 'two', rkey: 'a' },
  ])
  while ((await world.scanDue()) > 0);
  const kinds = await world.db<{ kind: string; causes: number[] }[]>`
    select a.kind, array_agg(c.content order by c.content) as causes
    from action a join action_cause c on c.action = a.id group by a.id order by a.kind, causes`
  assert.deepEqual(
    kinds.map((row) => [row.kind, row.causes]),
    [
      ['takedown-blob', [contents[0]]],
      ['takedown-blob', [contents[1]]],
      ['takedown-record', contents],
    ],
  )
})

test('what was carried out is done again only when the thing is seen again', async (t) => {
  const world = await createWorld(t)
  await world.bank('BAD')
  await world.content('BAD', 'one')
  await world.sight([{ did: alice, bytes: 'one', rkey: 'a' }])
  await world.settle()
  assert.deepEqual(await actions(world), ['takedown-blob done', 'takedown-record done'])
  world.advance(1000)
  await world.sight([{ did: alice, bytes: 'one', rkey: 'a' }])
  await world.settle()
  assert.equal((await actions(world)).length, 4)
  assert.equal(world.pds.sets.length, 2, 'the PDS is asked, and nothing is set anew')
  assert.deepEqual((await world.ledger()).faults, [])
})

test('a held action becomes planned when an exact match says so', async (t) => {
  const world = await createWorld(t)
  await world.bank('BAD')
  await world.content('BAD', [{ type: 'pdq', value: pdqOfBytes('one'), quality: 100 }])
  await world.sight([{ did: alice, bytes: 'one', rkey: 'a' }])
  await world.settle()
  assert.deepEqual(await actions(world), [
    'takedown-blob held perceptual',
    'takedown-record held perceptual',
  ])
  await world.content('BAD', 'one')
  await world.sight([{ did: alice, bytes: 'one', rkey: 'b' }])
  while ((await world.scanDue()) > 0);
  const states = await actions(world)
  assert.equal(states[0], 'takedown-blob planned')
  assert.ok(states.includes('takedown-record planned'))
})

test("a person's word beats every policy: released stays released, confirmed acts", async (t) => {
  const world = await createWorld(t, { mode: 'act' })
  await world.bank('BAD')
  await world.content('BAD', [{ type: 'pdq', value: pdqOfBytes('one'), quality: 100 }])
  await world.content('BAD', [{ type: 'pdq', value: pdqOfBytes('two'), quality: 100 }])
  await world.sight([
    { did: alice, bytes: 'one', rkey: 'a' },
    { did: alice, bytes: 'two', rkey: 'b' },
  ])
  await world.settle()
  const caseOf = async (bytes: string) => {
    const [row] = await world.db<{ n: number }[]>`
      select case_file as n from case_blob where blob_cid = decode(${digestOfBytes(bytes)}, 'hex')`
    return row?.n ?? 0
  }
  const decide = async (bytes: string, verb: 'release' | 'confirm') =>
    decideCase(world.db, {
      caseNumber: await caseOf(bytes),
      verb,
      principal: world.principal,
      nowMs: world.clock(),
    })
  await decide('one', 'release')
  await decide('two', 'confirm')
  // From now on even an exact match in mode act leaves the released picture alone.
  await world.content('BAD', 'one')
  await world.changePolicy('BAD', { perceptual: 'act' })
  world.advance(1000)
  await world.sight([
    { did: bob, bytes: 'one', rkey: 'c' },
    { did: bob, bytes: 'two', rkey: 'd' },
    { did: alice, bytes: 'one', rkey: 'e' },
  ])
  await world.settle()
  const later = (await outcomes(world)).filter((line) => /^[cde] /.test(line)).toSorted()
  assert.deepEqual(later, [
    'c released case-released',
    'd acted case-confirmed',
    'e released case-released',
  ])
  assert.deepEqual(
    world.pds.takenDown().every((key) => !key.includes(digestOfBytes('one'))),
    true,
  )
  const byPerson = await world.db`select from action where by_person and applied`
  assert.equal(byPerson.length, 4)
  assert.deepEqual((await world.ledger()).faults, [])
})

test('nothing is decided for an account that was erased, and a blob without any place is unscannable', async (t) => {
  const world = await createWorld(t)
  await world.sight([{ did: alice, bytes: 'one', rkey: 'a' }])
  await world.database.owner`update account set did = null`
  await world.settle()
  const [blob] = await world.db`select verdict, reason from blob`
  assert.deepEqual([blob?.['verdict'], blob?.['reason']], ['unscannable', 'no-host'])
})
