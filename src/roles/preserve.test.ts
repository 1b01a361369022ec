import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openEvidence } from '../evidence/vault.ts'
import { s3Key, startS3StandIn } from '../evidence/s3-stand-in.ts'
import { createS3Store } from '../evidence/s3-store.ts'
import { sweepEvidence } from './evidence-clocks.ts'
import { storeAway, vaultInTest } from '../evidence/vault-in-test.ts'
import { claimScans, settle } from '../steps/scan.ts'
import { decideCase } from '../steps/withdraw.ts'
import { PermanentError } from '../domain/errors.ts'
import { scanBlob } from '../pipeline.ts'
import { alice, bob, cidOfBytes, claimOne, createWorld, didOf, worldPds } from '../testing/world.ts'
import { evidenceWorld } from './evidence-in-test.ts'
import type { EvidenceWorld } from './evidence-in-test.ts'
import { preserve, preserveLimits } from './preserve.ts'

const signal = new AbortController().signal

async function opened(world: EvidenceWorld, object: string, identity: string) {
  const file = world.store.objects.get(object)
  assert.ok(file, 'the store has it')
  return openEvidence(file, identity)
}

test('a match is kept twice before it is taken down, and the officer opens the sealed copy with all that was known', async (t) => {
  const world = await evidenceWorld(t)
  await world.content('BAD', 'one')
  await world.sight([{ did: alice, bytes: 'one', rkey: 'a' }])
  await world.scanDue()
  assert.equal(world.store.objects.size, 2, 'before anything was sent')
  assert.deepEqual(world.pds.sets, [])
  await world.settle()
  assert.equal(world.pds.takenDown().length, 2)

  const [row, ...more] = await world.rows()
  assert.ok(row && more.length === 0)
  const { facts, bytes } = await opened(world, row.sealed_object, world.officerKey)
  assert.equal(Buffer.from(bytes).toString(), 'one')
  const { seenAt, keptAt, sha256, keptBy, record, ...told } = facts
  assert.deepEqual(told, {
    evidence: row.id,
    cid: cidOfBytes('one'),
    media: 'image',
    bytes: 3,
    did: alice,
    pds: worldPds,
    source: 'firehose',
    bank: 'b1',
  })
  assert.equal(record?.uri, `at://${alice}/app.bsky.feed.post/a`)
  assert.match(record?.served?.json ?? '', /"text":"a"/)
  assert.ok(record?.cid && seenAt && keptAt && sha256 && keptBy)
  assert.deepEqual(await opened(world, row.working_object, world.serviceKey), { facts, bytes })

  const [entry] = await world.entries('evidence.kept')
  assert.deepEqual(
    [entry?.pub['evidence'], entry?.pub['case'], Object.keys(entry?.com ?? {})],
    [row.id, row.case_file, ['account', 'blob']],
  )
})

test('the row and the ledger name nobody', async (t) => {
  const world = await evidenceWorld(t)
  await world.content('BAD', 'one')
  await world.sight([{ did: alice, bytes: 'one', rkey: 'a' }])
  await world.settle()
  const [row] = await world.rows()
  const [entry] = await world.entries('evidence.kept')
  const told = JSON.stringify([row?.facts, entry?.pub])
  for (const name of [alice, cidOfBytes('one'), worldPds, 'BAD']) assert.ok(!told.includes(name))
})

test('without a vault such a bank holds, and nothing is kept', async (t) => {
  const world = await createWorld(t)
  await world.bank('BAD', { policy: { preserve: true } })
  await world.content('BAD', 'one')
  await world.sight([{ did: alice, bytes: 'one', rkey: 'a' }])
  await world.settle()
  assert.deepEqual(world.pds.sets, [])
  const rows = await world.database.owner`select reason from decision`
  assert.deepEqual([...rows], [{ reason: 'no-vault' }])
})

test('what is only held is kept too, and a bank that does not ask is not kept for', async (t) => {
  const world = await evidenceWorld(t)
  await world.bank('HOLDS', { mode: 'hold', policy: { preserve: true } })
  await world.bank('LOOKS', { mode: 'observe', policy: { preserve: true } })
  await world.bank('PLAIN')
  for (const [bank, bytes] of [
    ['HOLDS', 'held'],
    ['LOOKS', 'seen'],
    ['PLAIN', 'plain'],
  ] as const)
    await world.content(bank, bytes)
  await world.sight(['held', 'seen', 'plain'].map((bytes) => ({ did: alice, bytes, rkey: bytes })))
  await world.settle()
  const [row, ...more] = await world.rows()
  assert.equal(more.length, 0)
  const { bytes } = await opened(world, row?.sealed_object ?? '', world.officerKey)
  assert.equal(Buffer.from(bytes).toString(), 'held')
})

test('one row an account and blob, however often and wherever it is seen', async (t) => {
  const world = await evidenceWorld(t)
  await world.content('BAD', 'one')
  await world.sight([
    { did: alice, bytes: 'one', rkey: 'a' },
    { did: alice, bytes: 'one', rkey: 'b' },
    { did: bob, bytes: 'one', rkey: 'c' },
  ])
  await world.settle()
  world.advance(1000)
  await world.sight([{ did: alice, bytes: 'one', rkey: 'd' }])
  await world.settle()
  assert.equal((await world.rows()).length, 2)
  assert.equal(world.store.objects.size, 4)
  assert.equal((await world.entries('evidence.kept')).length, 2)
})

test('many accounts are kept in several runs, each in one lease, and none is left out', async (t) => {
  const world = await evidenceWorld(t)
  await world.content('BAD', 'one')
  const accounts = preserveLimits.accountsPerRun * 2 + 3
  const seen = Array.from({ length: accounts }, (_, n) => ({
    did: didOf(n),
    bytes: 'one',
    rkey: 'a',
  }))
  await world.sight(seen)
  await world.scanDue()
  assert.equal((await world.rows()).length, preserveLimits.accountsPerRun)
  await world.settle()
  assert.equal((await world.rows()).length, accounts)
  assert.equal(world.store.objects.size, 2 * accounts)
})

test('when only signals are stored the bytes are fetched again', async (t) => {
  const world = await evidenceWorld(t)
  await world.sight([{ did: alice, bytes: 'late', rkey: 'a' }])
  await world.settle()
  assert.equal(world.hosts.fetched.length, 1)
  await world.content('BAD', 'late')
  await world.settle()
  assert.equal(world.hosts.fetched.length, 2)
  const [row] = await world.rows()
  const { facts, bytes } = await opened(world, row?.sealed_object ?? '', world.officerKey)
  assert.equal(Buffer.from(bytes).toString(), 'late')
  assert.equal(facts.evidence, row?.id)
})

test('a second sighting of the same blob names the case that it has', async (t) => {
  const world = await evidenceWorld(t)
  await world.content('BAD', 'one')
  await world.sight([{ did: alice, bytes: 'one', rkey: 'a' }])
  await world.settle()
  world.advance(1000)
  await world.sight([{ did: bob, bytes: 'one', rkey: 'b' }])
  await world.settle()
  const [, row] = await world.rows()
  const { facts } = await opened(world, row?.sealed_object ?? '', world.officerKey)
  assert.equal(facts.case, row?.case_file)
})

const minuteMs = 60_000

for (const [what, reason, error] of [
  ['is away', 'store-away', storeAway],
  ['is full or refuses', 'store-refuses', new PermanentError('no')],
] as const) {
  test(`a store that ${what} is waited for ten minutes, then the takedown goes ahead and an entry says why`, async (t) => {
    const world = await evidenceWorld(t)
    await world.content('BAD', 'one')
    await world.sight([{ did: alice, bytes: 'one', rkey: 'a' }])
    world.store.fail(error)
    await world.settle()
    for (let waitedMs = 0; waitedMs < 9.5 * minuteMs; waitedMs += minuteMs / 2) {
      world.advance(minuteMs / 2)
      await world.settle()
      assert.deepEqual(world.pds.sets, [], `${waitedMs} ms`)
    }
    world.advance(minuteMs / 2)
    await world.settle()
    assert.equal(world.pds.takenDown().length, 2)
    assert.equal((await world.rows()).length, 0)
    const [missed, ...more] = await world.entries('evidence.missed')
    assert.equal(more.length, 0)
    const { case: caseNumber, decision, ...told } = missed?.pub ?? {}
    assert.deepEqual(told, { reason, waitedSeconds: 600 })
    assert.ok(caseNumber && decision)
    const waits = await world.database.owner`select from evidence_wait`
    assert.equal(waits.length, 0)
  })
}

test('a store that comes back in time gets the copies, and nothing is missed', async (t) => {
  const world = await evidenceWorld(t)
  await world.content('BAD', 'one')
  await world.sight([{ did: alice, bytes: 'one', rkey: 'a' }])
  world.store.fail(storeAway)
  await world.settle()
  world.advance(9 * minuteMs)
  world.store.fail(undefined)
  await world.settle()
  assert.equal((await world.rows()).length, 1)
  assert.equal(world.pds.takenDown().length, 2)
  assert.deepEqual(await world.entries('evidence.missed'), [])
})

test('the ten minutes are measured over a restart, and from the first failure only', async (t) => {
  const world = await evidenceWorld(t)
  await world.content('BAD', 'one')
  await world.sight([{ did: alice, bytes: 'one', rkey: 'a' }])
  world.store.fail(storeAway)
  await world.scanDue()
  // Nothing ran for nine minutes; what knows of the wait is the database alone.
  world.advance(9 * minuteMs)
  await world.scanDue()
  assert.equal((await world.rows()).length, 0)
  world.advance(minuteMs)
  await world.settle()
  assert.equal((await world.entries('evidence.missed')).length, 1)
})

test('a file known by its CID that no host gives any more is taken down after ten minutes', async (t) => {
  const world = await evidenceWorld(t)
  await world.content('BAD', 'gone')
  await world.sight([{ did: alice, bytes: 'gone', rkey: 'a' }])
  world.hosts.answer(worldPds, { kind: 'unavailable', host: worldPds, reason: 'not-found' })
  await world.settle()
  assert.deepEqual(world.pds.sets, [])
  world.advance(10 * minuteMs)
  await world.settle()
  assert.equal(world.pds.takenDown().length, 2)
  const [missed] = await world.entries('evidence.missed')
  assert.equal(missed?.pub['reason'], 'not-found')
  assert.equal(world.store.objects.size, 0)
})

test('bytes that no waiting brings are not waited for', async (t) => {
  const world = await evidenceWorld(t)
  await world.content('BAD', 'huge')
  await world.sight([{ did: alice, bytes: 'huge', rkey: 'a' }])
  world.hosts.answer(worldPds, { kind: 'unavailable', host: worldPds, reason: 'too-large' })
  await world.settle()
  assert.equal(world.pds.takenDown().length, 2)
  const [missed] = await world.entries('evidence.missed')
  assert.equal(missed?.pub['reason'], 'too-large')
})

test('two scanners of one blob keep one row, and the files of the slower one are swept a day later', async (t) => {
  const world = await evidenceWorld(t)
  await world.content('BAD', 'one')
  await world.sight([{ did: alice, bytes: 'one', rkey: 'a' }])
  const first = await claimOne(world)
  world.advance(200_000)
  const second = await claimOne(world)
  const [slow, quick] = await Promise.all(
    [first, second].map(async (job) =>
      preserve(await scanBlob(job, world.pipeline, signal), world.pipeline, signal),
    ),
  )
  assert.equal(world.store.objects.size, 4)
  assert.equal((await settle(world.db, quick!)).result, 'settled')
  assert.equal((await settle(world.db, slow!)).result, 'lost')
  const [row, ...more] = await world.rows()
  assert.ok(row && more.length === 0)
  assert.equal((await world.sweep()).orphans, 0)
  world.advance(25 * 3600_000)
  assert.equal((await world.sweep()).orphans, 1)
  assert.deepEqual(
    new Set(world.store.objects.keys()),
    new Set([row.sealed_object, row.working_object]),
  )
})

test('copies of a blob that a person released meanwhile are nobody’s', async (t) => {
  const world = await evidenceWorld(t)
  await world.bank('HOLDS', { mode: 'hold', policy: { preserve: true } })
  await world.content('HOLDS', 'one')
  await world.sight([{ did: alice, bytes: 'one', rkey: 'a' }])
  await world.settle()
  const [row] = await world.rows()
  const decide = { verb: 'release' as const, principal: world.principal, nowMs: world.clock() }
  await decideCase(world.db, { caseNumber: row?.case_file ?? 0, ...decide })
  world.advance(1000)
  await world.sight([{ did: bob, bytes: 'one', rkey: 'b' }])
  await world.settle()
  assert.equal((await world.rows()).length, 1)
  world.advance(25 * 3600_000)
  await world.sweep()
  assert.equal(world.store.objects.size, 0)
})

test('a bucket that answers 503 is waited for, then has both copies, and loses them when the case is released', async (t) => {
  await using s3 = await startS3StandIn()
  const { vault } = await vaultInTest()
  const store = createS3Store({ url: s3.url, ...s3Key })
  const world = await createWorld(t, { vault: { ...vault, store } })
  await world.bank('BAD', { policy: { preserve: true } })
  await world.content('BAD', 'one')
  await world.sight([{ did: alice, bytes: 'one', rkey: 'a' }])
  s3.be({ status: 503, code: 'SlowDown' })
  await world.settle()
  assert.deepEqual(world.pds.sets, [])
  s3.be(undefined)
  world.advance(minuteMs)
  await world.settle()
  assert.equal(world.pds.takenDown().length, 2)
  assert.equal(s3.objects.size, 2)
  await world.database.owner`update case_file set state = 'released'`
  const sweep = { db: world.db, store, nowMs: world.clock(), signal, onFailed: assert.ifError }
  assert.deepEqual((await sweepEvidence(sweep)).ended, [{ basis: 'case-released' }])
  assert.equal(s3.objects.size, 0)
})

test('a settle of an older process, which knows no vault, settles as before', async (t) => {
  const world = await evidenceWorld(t)
  await world.content('BAD', 'one')
  await world.sight([{ did: alice, bytes: 'one', rkey: 'a' }])
  const [job] = await claimScans(world.db, { limit: 1, nowMs: world.clock() })
  const { bytes: _, ...input } = await scanBlob(job!, world.pipeline, signal)
  assert.equal((await settle(world.db, input)).result, 'settled')
  assert.equal((await world.rows()).length, 0)
})
