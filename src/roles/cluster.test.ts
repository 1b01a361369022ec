import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Hex } from '../domain/blob.ts'
import { turnsOfHash } from '../domain/pdq-turns.ts'
import { pdqDistance } from '../signals/pdq/distance.ts'
import { clusterWindow } from './cluster.ts'
import { hashOf, putBlobs, seenDatabase, seenNowMs, withBits } from './seen-in-test.ts'
import type { SeenBlob } from './seen-in-test.ts'

const database = await seenDatabase()
const since = new Date(seenNowMs - 7 * 86_400_000)
const distanceMax = 10

async function clear(): Promise<void> {
  for (const table of ['blob', 'blob_variant', 'sighting'])
    await database.owner`delete from ${database.owner(table)}`
}

test('groups are the connected parts of what lies near each other, whatever the data', async () => {
  const near = fc
    .tuple(
      fc.constantFrom('one', 'two').map(hashOf),
      fc.array(fc.integer({ min: 0, max: 30 }), { maxLength: 25 }),
      fc.nat(7),
    )
    .map(([hash, bits, turn]) => {
      const moved = withBits(hash, bits)
      return [moved, ...turnsOfHash(moved).map((one) => one.hash)][turn] as Hex
    })
  const blob = fc.record(
    {
      pdq: near,
      quality: fc.constantFrom(49, 50, 100),
      views: fc.array(
        near.map((pdq) => ({ view: 'trim' as const, pdq })),
        { maxLength: 1 },
      ),
      daysAgo: fc.constantFrom(0, 6, 8),
    },
    { requiredKeys: ['pdq', 'quality', 'daysAgo'] },
  )
  await fc.assert(
    fc.asyncProperty(
      fc.array(blob, { maxLength: 14 }),
      fc.integer({ min: 1, max: 3 }),
      async (drawn, blobsMin) => {
        await clear()
        const blobs = drawn.map(({ daysAgo, ...one }, n) => ({
          ...one,
          cid: hashOf(`blob ${n}`),
          places: [{ account: 1, daysAgo }],
        }))
        await putBlobs(database.owner, blobs)
        const found = await clusterWindow({ db: database.app, since, distanceMax, blobsMin })
        assert.deepEqual(found, naive(blobs, blobsMin))
      },
    ),
    { numRuns: 40 },
  )
})

test('the same hash many times over is one place to search from', async () => {
  await clear()
  await database.owner`
    insert into blob (hashed_at, bank_generation, verdict, kind, coverage, quality, blob_cid, pdq)
    select ${new Date(seenNowMs)}, 0, 'clear', 'image', 15, 90, sha256(int8send(n)), sha256(int8send(n % 3))
    from generate_series(1, 30000) n`
  await database.owner`
    insert into sighting (at, account, source, blob_cid)
    select ${new Date(seenNowMs)}, 1, 'firehose', sha256(int8send(n)) from generate_series(1, 30000) n`
  const compared: number[] = []
  const { pictures, groups } = await clusterWindow({
    db: database.app,
    since,
    distanceMax,
    blobsMin: 2,
    progress: { onCompare: (_, of) => compared.push(of) },
  })
  assert.equal(pictures, 30_000)
  assert.deepEqual(
    groups.map((group) => group.length),
    [10_000, 10_000, 10_000],
  )
  assert.deepEqual(compared, [3])
})

function naive(blobs: SeenBlob[], blobsMin: number) {
  const pictures = blobs.filter(
    (blob) => (blob.quality ?? 0) >= 50 && (blob.places[0]?.daysAgo ?? 99) <= 7,
  )
  const hashesOf = (blob: SeenBlob) => [
    blob.pdq as Hex,
    ...(blob.views ?? []).map((view) => view.pdq),
  ]
  const linked = (a: SeenBlob, b: SeenBlob) =>
    hashesOf(a)
      .flatMap((hash) => [hash, ...turnsOfHash(hash).map((form) => form.hash)])
      .some((form) => hashesOf(b).some((hash) => pdqDistance(form, hash) <= distanceMax))
  const groups: SeenBlob[][] = []
  const left = new Set(pictures)
  for (const first of pictures) {
    if (!left.delete(first)) continue
    const group = [first]
    for (const member of group)
      for (const other of left) if (linked(member, other) && left.delete(other)) group.push(other)
    groups.push(group)
  }
  return {
    pictures: pictures.length,
    groups: groups
      .filter((group) => group.length >= blobsMin)
      .map((group) => group.map((blob) => blob.cid).toSorted())
      .toSorted((a, b) => b.length - a.length || ((a[0] as Hex) < (b[0] as Hex) ? -1 : 1)),
  }
}
