import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Hex, SignalType } from '../domain/blob.ts'
import { pdqQualityMin } from '../domain/blob.ts'
import { RetryableError } from '../domain/errors.ts'
import { turnsOfHash } from '../domain/pdq-turns.ts'
import { pdqDistance } from '../signals/pdq/distance.ts'
import { scannedRowsMax } from './near-search.ts'
import { previewContents } from './preview.ts'
import type { Preview, PreviewSignal } from './preview.ts'
import { hashOf, putBlobs, seenDatabase, seenNowMs, withBits } from './seen-in-test.ts'
import type { SeenBlob } from './seen-in-test.ts'
import { windowLimits } from './seen-window.ts'

const database = await seenDatabase()
const db = database.app
const keepDays = 30

function preview(contents: PreviewSignal[][], more: { signal?: AbortSignal } = {}) {
  return previewContents({ db, contents, keepDays, nowMs: seenNowMs, ...more })
}

async function clear(): Promise<void> {
  for (const table of ['blob', 'blob_variant', 'sighting'])
    await database.owner`delete from ${database.owner(table)}`
}

function pdq(value: Hex, distanceMax = 31): PreviewSignal {
  return { type: 'pdq', value, distanceMax }
}

test('finds what every scan with these contents banked would have matched, whatever the data', async () => {
  const centre = fc.constantFrom('one', 'two', 'three').map(hashOf)
  const near = fc
    .tuple(centre, fc.array(fc.integer({ min: 0, max: 255 }), { maxLength: 40 }), fc.nat(7))
    .map(([hash, bits, turn]) => {
      const moved = withBits(hash, bits)
      return [moved, ...turnsOfHash(moved).map((one) => one.hash)][turn] as Hex
    })
  const md5 = fc.nat(3).map((n) => hashOf(`md5 ${n}`).slice(0, 32))
  const sha1 = fc.nat(3).map((n) => hashOf(`sha1 ${n}`).slice(0, 40))
  const place = fc.record({
    account: fc.integer({ min: 1, max: 5 }),
    daysAgo: fc.constantFrom(0, 3, 29, 31, 35),
    rkey: fc.constantFrom('a', 'b', 'self'),
  })
  const blob = fc.record(
    {
      pdq: near,
      quality: fc.constantFrom(0, pdqQualityMin - 1, pdqQualityMin, 100),
      md5,
      sha1,
      views: fc.array(fc.record({ view: fc.constantFrom('flat', 'trim'), pdq: near }), {
        maxLength: 2,
      }),
      places: fc.array(place, { maxLength: 4 }),
    },
    { requiredKeys: ['places', 'quality'] },
  )
  const signal = fc.oneof(
    fc.record({
      type: fc.constant<SignalType>('pdq'),
      value: near,
      distanceMax: fc.constantFrom(0, 10, 31, 45),
    }),
    fc.record({ type: fc.constant<SignalType>('md5'), value: md5, distanceMax: fc.constant(0) }),
    fc.record({ type: fc.constant<SignalType>('sha1'), value: sha1, distanceMax: fc.constant(0) }),
    fc.record({
      type: fc.constant<SignalType>('sha256'),
      value: fc.nat(12).map((n) => hashOf(`blob ${n}`)),
      distanceMax: fc.constant(0),
    }),
  )
  await fc.assert(
    fc.asyncProperty(
      fc.array(blob, { maxLength: 12 }),
      fc.array(fc.array(signal, { maxLength: 3 }), { maxLength: 5 }),
      async (drawn, contents) => {
        await clear()
        const blobs = drawn.map((one, n) => ({
          ...one,
          cid: hashOf(`blob ${n}`),
          views: [...new Map((one.views ?? []).map((view) => [view.view, view])).values()],
        })) as SeenBlob[]
        await putBlobs(database.owner, blobs)
        assert.deepEqual(await preview(contents), naive(blobs, contents))
      },
    ),
    { numRuns: 40 },
  )
})

test('goes over the borders of pages and tells how far it is', async () => {
  await clear()
  const blobs = windowLimits.rowsPerPage * 2 + 5
  await database.owner`
    insert into blob (hashed_at, bank_generation, verdict, kind, coverage, quality, blob_cid, pdq)
    select ${new Date(seenNowMs)}, 0, 'clear', 'image', 15, 90, sha256(int8send(n)), sha256(int8send(-n))
    from generate_series(1, ${blobs}) n`
  await database.owner`
    insert into sighting (at, account, source, blob_cid)
    select ${new Date(seenNowMs)}, 1 + n % 7, 'firehose', sha256(int8send(n)) from generate_series(1, ${blobs}) n`
  await database.owner`
    insert into blob_variant (blob_cid, variant, quality, pdq)
    select sha256(int8send(n)), v, 90, sha256(int8send(n + 1000000))
    from generate_series(1, ${windowLimits.rowsPerPage}) n, unnest(array['flat', 'trim']) v`
  const wanted = await database.owner<{ pdq: Hex }[]>`
    select encode(sha256(int8send(-n)), 'hex') as pdq from generate_series(1, ${blobs}, 400) n
    union all
    select encode(sha256(int8send(n + 1000000)), 'hex') from generate_series(2, ${windowLimits.rowsPerPage}, 400) n`
  const seen: number[][] = []
  const found = await previewContents({
    db,
    contents: wanted.map((one) => [pdq(one.pdq)]),
    keepDays,
    nowMs: seenNowMs,
    onProgress: (done, of) => seen.push([done, of]),
  })
  assert.equal(found.comparedBlobs, blobs)
  assert.equal(found.total.blobs, wanted.length)
  assert.equal(found.total.accounts, 7)
  assert.equal(found.byContent.size, wanted.length)
  assert.deepEqual(seen.at(-1), [blobs, blobs])
  assert.ok(seen.every(([done, of]) => (done as number) <= (of as number)))
})

test('a list of many is compared as a few are', async () => {
  await clear()
  const turned = turnsOfHash(withBits(hashOf('b'), [5, 6, 7])).at(-1)?.hash
  await putBlobs(database.owner, [
    { cid: hashOf('1'), pdq: hashOf('a'), quality: 100, places: [{ account: 1, daysAgo: 1 }] },
    { cid: hashOf('2'), pdq: turned, quality: 100, places: [{ account: 2, daysAgo: 1 }] },
  ])
  const few = [[pdq(hashOf('a'))], [pdq(hashOf('b'), 3)], [pdq(hashOf('b'), 2)]]
  const others = Array.from({ length: scannedRowsMax }, (_, n) => [pdq(hashOf(`other ${n}`))])
  const found = await preview([...few, ...others])
  assert.deepEqual([...found.byContent.keys()], [0, 1])
  assert.deepEqual(found, await preview(few))
})

test('an empty window is answered without a pass, also where blobs are stored', async () => {
  await clear()
  await putBlobs(database.owner, [
    { cid: hashOf('old'), pdq: hashOf('p'), quality: 100, places: [{ account: 1, daysAgo: 35 }] },
  ])
  const found = await preview([[pdq(hashOf('p'))]])
  assert.deepEqual(found, naive([], [[pdq(hashOf('p'))]]))
})

test('stops when it is told to', async () => {
  await clear()
  await putBlobs(database.owner, [
    { cid: hashOf('new'), pdq: hashOf('p'), quality: 100, places: [{ account: 1, daysAgo: 1 }] },
  ])
  const signal = AbortSignal.abort()
  await assert.rejects(preview([[pdq(hashOf('p'))]], { signal }), RetryableError)
})

/** One blob, one content, one signal at a time. */
function naive(blobs: SeenBlob[], contents: PreviewSignal[][]): Preview {
  const recent = blobs.map((blob) => ({
    ...blob,
    places: blob.places.filter((one) => one.daysAgo <= keepDays),
  }))
  const sum = (hit: typeof recent) => ({
    blobs: hit.length,
    sightings: hit.flatMap((blob) => blob.places).length,
    accounts: new Set(hit.flatMap((blob) => blob.places.map((one) => one.account))).size,
    oldest: hit
      .flatMap((blob) => blob.places.map((one) => new Date(seenNowMs - one.daysAgo * 86_400_000)))
      .reduce<Date | null>((a, b) => (a === null || b < a ? b : a), null),
  })
  const hitsOf = (signals: PreviewSignal[]) =>
    recent.filter(
      (blob) => blob.places.length > 0 && signals.some((signal) => matches(blob, signal)),
    )
  const distinct = (texts: string[]) => new Set(texts).size
  const all = recent.filter((blob) => contents.some((signals) => hitsOf(signals).includes(blob)))
  const asked = contents.flat().length > 0 && recent.some((blob) => blob.places.length > 0)
  return {
    comparedBlobs: asked ? blobs.length : 0,
    total: sum(all),
    byContent: new Map(
      contents.flatMap((signals, index) => {
        const hit = hitsOf(signals)
        return hit.length === 0 ? [] : [[index, sum(hit)] as const]
      }),
    ),
    wouldAct: {
      takedowns: all.reduce(
        (n, { places }) =>
          n +
          distinct(places.map((one) => `${one.account}`)) +
          distinct(
            places.flatMap((one) => (one.rkey === 'self' ? [] : [`${one.account} ${one.rkey}`])),
          ),
        0,
      ),
      labels: all.reduce(
        (n, { places }) => n + distinct(places.map((one) => `${one.account} ${one.rkey}`)),
        0,
      ),
    },
  }
}

function matches(blob: SeenBlob, { type, value, distanceMax }: PreviewSignal): boolean {
  if (type === 'sha256') return blob.cid === value
  if (type === 'md5') return blob.md5 === value
  if (type === 'sha1') return blob.sha1 === value
  const plain = blob.pdq !== undefined && (blob.quality ?? 0) >= pdqQualityMin ? [blob.pdq] : []
  return [...plain, ...(blob.views ?? []).map((view) => view.pdq)]
    .flatMap((hash) => [hash, ...turnsOfHash(hash).map((one) => one.hash)])
    .some((hash) => pdqDistance(hash, value) <= distanceMax)
}
