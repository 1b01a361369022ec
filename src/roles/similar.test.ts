import assert from 'node:assert/strict'
import { test } from 'node:test'
import { turnsOfHash } from '../domain/pdq-turns.ts'
import { findSimilar, hashesOf, storedHashes } from './similar.ts'
import { hashOf, putBlobs, seenDatabase, seenNowMs, withBits } from './seen-in-test.ts'
import type { SeenBlob } from './seen-in-test.ts'

const database = await seenDatabase()
const picture = hashOf('picture')
const turned = (hash: string, name: string) =>
  turnsOfHash(hash).find(({ turn }) => turn === name)?.hash as string
const seen = (name: string, more: Partial<SeenBlob>): SeenBlob => ({
  cid: hashOf(name),
  quality: 100,
  places: [{ account: 1, daysAgo: 1, rkey: 'a' }],
  ...more,
})

await putBlobs(database.owner, [
  seen('itself', { pdq: picture }),
  seen('recompressed', {
    pdq: withBits(picture, [1, 2, 3, 4]),
    places: [
      { account: 1, daysAgo: 1, rkey: 'a' },
      { account: 2, daysAgo: 9, rkey: 'b' },
      { account: 2, daysAgo: 4, rkey: 'c' },
    ],
  }),
  // What is seen was turned clockwise: turned back it is the picture.
  seen('turned', { pdq: turned(withBits(picture, [7, 8]), 'rot270') }),
  seen('framed', {
    pdq: hashOf('frame'),
    views: [{ view: 'trim', pdq: turned(picture, 'mirror') }],
  }),
  seen('far', {
    pdq: withBits(
      picture,
      Array.from({ length: 32 }, (_, n) => n),
    ),
  }),
  seen('poor', { pdq: picture, quality: 49 }),
  seen('old', { pdq: picture, places: [{ account: 1, daysAgo: 33 }] }),
])

function ask(more: Partial<Parameters<typeof findSimilar>[0]> = {}) {
  return findSimilar({
    db: database.app,
    hashes: [picture],
    distanceMax: 31,
    keepDays: 30,
    nowMs: seenNowMs,
    limit: 10,
    offset: 0,
    ...more,
  })
}

test('finds what looks like it in the window, nearest first, and says how it was changed', async () => {
  const { total, comparedBlobs, blobs } = await ask()
  assert.equal(total, 4)
  assert.equal(comparedBlobs, 7)
  assert.deepEqual(
    blobs.map(({ cid, distance, variant }) => [cid, distance, variant]),
    [
      [hashOf('itself'), 0, 'original'],
      [hashOf('framed'), 0, 'trim+mirror'],
      [hashOf('turned'), 2, 'rot90'],
      [hashOf('recompressed'), 4, 'original'],
    ],
  )
})

test('tells how often, by how many accounts and when it was seen', async () => {
  const { blobs } = await ask({ offset: 3, limit: 1 })
  const day = (ago: number) => new Date(seenNowMs - ago * 86_400_000)
  assert.deepEqual(blobs, [
    {
      cid: hashOf('recompressed'),
      distance: 4,
      variant: 'original',
      sightings: 3,
      accounts: 2,
      first: day(9),
      last: day(1),
      verdict: 'clear',
      reason: null,
      caseNumber: null,
    },
  ])
})

test('a nearer distance finds less, a wider one more', async () => {
  assert.equal((await ask({ distanceMax: 0 })).total, 2)
  assert.equal((await ask({ distanceMax: 32 })).total, 5)
})

test('a stored blob is asked for by its own hash and its views, unless they say too little', async () => {
  assert.deepEqual(await storedHashes(database.app, hashOf('framed')), [
    hashOf('frame'),
    turned(picture, 'mirror'),
  ])
  assert.deepEqual(await storedHashes(database.app, hashOf('poor')), [])
  assert.equal(await storedHashes(database.app, hashOf('nowhere')), undefined)
  assert.deepEqual(
    hashesOf({
      pdq: { hash: picture, quality: 49 },
      variants: [
        { variant: 'mirror', hash: hashOf('x'), quality: 90 },
        { variant: 'trim', hash: hashOf('y'), quality: 90 },
      ],
    }),
    [hashOf('y')],
  )
})
