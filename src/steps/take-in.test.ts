import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { CursorMove } from '../domain/batch.ts'
import {
  alice,
  bob,
  cidOfBytes,
  createWorld,
  digestOfBytes,
  leadCursor,
  sightingOf,
  worldPds,
} from '../testing/world.ts'
import type { World } from '../testing/world.ts'

const sightings = [sightingOf({ did: alice, bytes: 'one', rkey: 'a' })]

function move(from: number | null, to: number, epoch: number): CursorMove {
  return { source: 'firehose', host: worldPds, from, to, epoch, eventTimeMs: null }
}

async function rows(world: World) {
  const [row] = await world.db<{ sightings: number; jobs: number; gaps: number; frames: number }[]>`
    select (select count(*) from sighting) as sightings, (select count(*) from job) as jobs,
      (select count(*) from ingest_gap) as gaps, (select count(*) from frame_undecodable) as frames`
  return row
}

async function cursorOf(world: World) {
  const [row] = await world.db<{ position: number | null; epoch: number }[]>`
    select position, epoch from cursor`
  return row && { ...row }
}

test('writes nothing at all when the cursor is not where the batch starts or the lead has passed on', async (t) => {
  const world = await createWorld(t)
  const epoch = await leadCursor(world.db, world.clock())
  assert.equal(await world.take({ cursor: move(null, 5, epoch), sightings }), 'taken')
  const before = await rows(world)
  const later = await leadCursor(world.db, world.clock())
  const batch = {
    sightings: [sightingOf({ did: bob, bytes: 'two', rkey: 'b' })],
    undecodable: [{ seq: 6, bytes: Buffer.from('x'), error: 'bad' }],
    gaps: [
      {
        reason: 'sequence-jump' as const,
        fromSeq: 5,
        toSeq: 9,
        fromTimeMs: null,
        toTimeMs: null,
      },
    ],
    accounts: [{ did: alice, status: 'deleted' as const }],
    identities: [alice],
  }
  for (const cursor of [move(null, 9, later), move(4, 9, later), move(5, 9, epoch)]) {
    assert.equal(await world.take({ ...batch, cursor }), 'fenced')
    assert.deepEqual(await rows(world), before)
    assert.deepEqual(await cursorOf(world), { position: 5, epoch: later })
  }
  assert.equal((await world.db`select from account where did = ${bob}`).length, 0)
  assert.equal((await world.db`select from removal`).length, 0)
  assert.equal(await world.take({ ...batch, cursor: move(5, 9, later) }), 'taken')
  assert.deepEqual(await rows(world), { sightings: 2, jobs: 2, gaps: 1, frames: 1 })
  assert.equal((await world.db`select from removal`).length, 1)
})

test('the same batch handed in twice is taken once', async (t) => {
  const world = await createWorld(t)
  const epoch = await leadCursor(world.db, world.clock())
  const cursor = move(null, 5, epoch)
  const twice = await Promise.all([
    world.take({ cursor, sightings }),
    world.take({ cursor, sightings }),
  ])
  assert.deepEqual(twice.toSorted(), ['fenced', 'taken'])
  assert.equal((await rows(world))?.sightings, 1)
})

test('a delivery id is taken once for each endpoint, also when it comes twice at the same moment', async (t) => {
  const world = await createWorld(t)
  const take = (endpoint: string) =>
    world.take(
      { delivery: { endpoint, id: 'evt_1', contentId: 'c1' }, sightings },
      { source: 'webhook', host: endpoint },
    )
  const results = await Promise.all([take('one'), take('one'), take('one')])
  assert.deepEqual(results.toSorted(), ['duplicate', 'duplicate', 'taken'])
  assert.equal(await take('two'), 'taken')
  assert.equal((await rows(world))?.sightings, 2)
  const names = await world.db`select endpoint, content_id from webhook_content order by endpoint`
  assert.deepEqual(
    names.map((name) => [name['endpoint'], name['content_id']]),
    [
      ['one', 'c1'],
      ['two', 'c1'],
    ],
  )
})

test('a CID that names no bytes we could verify is unscannable at once and asks for no job', async (t) => {
  const world = await createWorld(t)
  const cids = [
    'QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG',
    'bafyreidfayvfuwqa7qlnopdjiqrxzs6blmoeu4rujcjtnci5beludirz2a',
    'no-cid-at-all',
  ]
  const bad = cids.map((blobCid) => ({ did: alice, blobCid, source: 'firehose' as const }))
  await world.take({ sightings: [...bad, ...bad, ...sightings] })
  assert.deepEqual(await rows(world), { sightings: 4, jobs: 1, gaps: 0, frames: 0 })
  const blobs = await world.db<{ verdict: string; reason: string; cid: string }[]>`
    select b.verdict, b.reason, u.cid from blob b join cid_unsupported u using (blob_cid)`
  assert.deepEqual(blobs.map((blob) => blob.cid).toSorted(), cids.toSorted())
  assert.ok(blobs.every((blob) => blob.reason === 'unsupported-cid'))
})

test('a blob found clear with the banks of now asks for no job; after a bank change it does', async (t) => {
  const world = await createWorld(t)
  await world.bank('BAD')
  await world.sight([{ did: alice, bytes: 'one', rkey: 'a' }])
  await world.settle()
  await world.sight([{ did: bob, bytes: 'one', rkey: 'b' }])
  assert.equal((await rows(world))?.jobs, 0)
  assert.equal((await rows(world))?.sightings, 2)
  await world.bank('WORSE')
  await world.sight([{ did: bob, bytes: 'one', rkey: 'c' }])
  assert.equal((await rows(world))?.jobs, 1)
  await world.settle()
  assert.equal(world.hosts.fetched.length, 1, 'the stored signals are matched, nothing is fetched')
})

test('a matched blob asks for a job at every sighting, and a blob without bytes does too', async (t) => {
  const world = await createWorld(t)
  await world.bank('BAD')
  await world.content('BAD', 'one')
  await world.sight([{ did: alice, bytes: 'one', rkey: 'a' }])
  world.hosts.home(bob, { kind: 'unavailable', reason: 'no-pds' })
  await world.sight([{ did: bob, bytes: 'gone', rkey: 'b' }])
  await world.settle()
  assert.equal((await rows(world))?.jobs, 0)
  const verdicts = await world.db`select verdict, reason from blob order by verdict`
  assert.deepEqual(
    verdicts.map((row) => [row['verdict'], row['reason']]),
    [
      ['matched', null],
      ['unscannable', 'no-pds'],
    ],
  )
  await world.sight([
    { did: alice, bytes: 'one', rkey: 'c' },
    { did: alice, bytes: 'gone', rkey: 'd' },
  ])
  assert.equal((await rows(world))?.jobs, 2)
})

test('ten thousand sightings of one picture are one job', async (t) => {
  const world = await createWorld(t)
  for (let batch = 0; batch < 5; batch += 1) {
    await world.sight(
      Array.from({ length: 2000 }, (_, n) => ({
        did: alice,
        bytes: 'one',
        rkey: `r${batch}-${n}`,
      })),
    )
  }
  const jobs = await world.db<{ key: string; generation: number }[]>`
    select encode(key, 'hex') as key, generation from job`
  assert.deepEqual([...jobs], [{ key: digestOfBytes('one'), generation: 5 }])
  assert.equal((await rows(world))?.sightings, 10_000)
})

test('only deletions of accounts that we know are kept, and an identity event forgets the host', async (t) => {
  const world = await createWorld(t)
  await world.take({ sightings })
  await world.take({
    recordDeletes: [
      { did: alice, collection: 'app.bsky.feed.post', rkey: 'a', rev: '3k' },
      { did: bob, collection: 'app.bsky.feed.post', rkey: 'b', rev: '3k' },
    ],
    accounts: [
      { did: alice, status: 'takendown' },
      { did: bob, status: 'deleted' },
    ],
    identities: [alice, bob],
  })
  const removals = await world.db`select rkey from removal`
  assert.deepEqual(
    removals.map((row) => row['rkey']),
    ['a'],
  )
  const accounts = await world.db`select did, status from account`
  assert.deepEqual(
    accounts.map((row) => [row['did'], row['status']]),
    [[alice, 'takendown']],
  )
})

test("the application's role writes through the steps only", async (t) => {
  const world = await createWorld(t)
  await world.take({ sightings })
  const refused = { code: '42501' }
  await assert.rejects(world.db`insert into account (did) values ('did:web:x')`, refused)
  await assert.rejects(world.db`update cursor set position = 1`, refused)
  await assert.rejects(world.db`delete from sighting`, refused)
  await assert.rejects(world.db`update blob set verdict = 'clear'`, refused)
  await assert.rejects(
    world.db`select note_v1('x', '{}', '{}', null, null, null, null, 'x', now())`,
    refused,
  )
  assert.equal((await world.db`select from sighting`).length, 1)
  assert.ok(cidOfBytes('one').startsWith('bafkrei'))
})
