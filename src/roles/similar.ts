// The blobs of the kept window that look like one picture, turned, mirrored and without a border too; nearest first.
//
// Promises: reads only; exact at any distance. Accounts come out as numbers of them.
import type { Database } from '../db/client.ts'
import { ask } from '../db/client.ts'
import type { Hex, Signals } from '../domain/blob.ts'
import { pdqQualityMin } from '../domain/blob.ts'
import { UsageError } from '../domain/errors.ts'
import { variantOf, variants, views } from '../domain/variant.ts'
import type { Variant } from '../domain/variant.ts'
import { createPdqScan } from './seen-pdq.ts'
import { cidAt, placesSince, signalPages, viewPages, windowStart } from './seen-window.ts'
import type { Progress, SeenPlaces, SignalPage } from './seen-window.ts'

export type SimilarBlob = {
  cid: Hex
  /** Bits of 256. */
  distance: number
  /** What was done to the found picture, as far as it shows. */
  variant: Variant
  sightings: number
  accounts: number
  first: Date
  last: Date
  verdict: string
  reason: string | null
  caseNumber: number | null
}

/** More than this look like it: the picture says too little, or the distance is too wide. */
export const similarMax = 200_000

type Asked = {
  db: Database
  /** PDQ hashes of the picture and of its other views. */
  hashes: readonly Hex[]
  distanceMax: number
  onProgress?: Progress
  signal?: AbortSignal
}

/** `total`: all that were found, of which `blobs` are the asked page. Throws UsageError when far too many are. */
export async function findSimilar(
  options: Asked & { keepDays: number; nowMs: number; limit: number; offset: number },
): Promise<{ total: number; comparedBlobs: number; blobs: SimilarBlob[] }> {
  const { db } = options
  const { near, comparedBlobs } = await findNear(options)
  const places = new Map<Hex, SeenPlaces>()
  const since = windowStart(options.keepDays, options.nowMs)
  for await (const page of placesSince(db, [...near.keys()], since))
    for (const place of page) places.set(place.cid, place)
  const seen = [...near]
    .filter(([cid]) => places.has(cid))
    .toSorted(([a, x], [b, y]) => byNearness(x, y) || (a < b ? -1 : 1))
  const page = seen.slice(options.offset, options.offset + options.limit)
  const standing = await standingOf(
    db,
    page.map(([cid]) => cid),
  )
  return {
    total: seen.length,
    comparedBlobs,
    blobs: page.map(([cid, { distance, variant }]) => {
      const { sightings, accounts, first, last } = places.get(cid) as SeenPlaces
      return {
        cid,
        distance,
        variant,
        sightings,
        accounts: accounts.length,
        first,
        last,
        ...(standing.get(cid) ?? { verdict: 'clear', reason: null, caseNumber: null }),
      }
    }),
  }
}

type Nearness = Pick<SimilarBlob, 'distance' | 'variant'>

/** Of everything that is stored, seen lately or not: by its nearest look, the plainest of equal ones. */
async function findNear(
  options: Asked,
): Promise<{ near: Map<Hex, Nearness>; comparedBlobs: number }> {
  const { db, distanceMax, onProgress, signal } = options
  const near = new Map<Hex, Nearness>()
  await using scan = await createPdqScan(
    [...new Set(options.hashes)].map((value) => ({ value, radius: distanceMax })),
  )
  const look = (page: SignalPage) =>
    scan.look(page, (row, _wanted, distance, turn) => {
      const cid = cidAt(page, row)
      const found = {
        distance,
        variant: variantOf(views[page.views[row] as number] ?? 'plain', turn),
      }
      const known = near.get(cid)
      if (known === undefined || byNearness(found, known) < 0) near.set(cid, found)
      if (near.size > similarMax)
        throw new UsageError(
          `more than ${similarMax} blobs lie within ${distanceMax} bits: ask with a smaller --distance`,
        )
    })
  let comparedBlobs = 0
  for await (const page of signalPages(db, { onProgress, signal })) {
    comparedBlobs += page.count
    await look(page)
  }
  for await (const page of viewPages(db, { signal })) await look(page)
  return { near, comparedBlobs }
}

/** The PDQ hashes of a picture as it is and in its other views; turns follow from these. Too little quality: left out. */
export function hashesOf(signals: Pick<Signals, 'pdq' | 'variants'>): Hex[] {
  const { pdq, variants: more = [] } = signals
  const own = pdq !== undefined && pdq.quality >= pdqQualityMin ? [pdq.hash] : []
  const viewed = more.filter(({ variant }) => (views as readonly string[]).includes(variant))
  return [...own, ...viewed.map(({ hash }) => hash)]
}

/** The same of a stored blob; undefined when it is not stored. */
export async function storedHashes(db: Database, cid: Hex): Promise<Hex[] | undefined> {
  const [row] = await ask(
    'read the stored signals',
    db<{ pdq: Hex | null; quality: number | null; views: Hex[] }[]>`
      select encode(b.pdq, 'hex') as pdq, b.quality,
        array(select encode(v.pdq, 'hex') from blob_variant v where v.blob_cid = b.blob_cid order by v.variant) as views
      from blob b where b.blob_cid = decode(${cid}, 'hex')`,
  )
  if (row === undefined) return undefined
  const own = row.pdq !== null && (row.quality ?? 0) >= pdqQualityMin ? [row.pdq] : []
  return [...own, ...row.views]
}

type Standing = Pick<SimilarBlob, 'verdict' | 'reason' | 'caseNumber'>

async function standingOf(db: Database, cids: Hex[]): Promise<Map<Hex, Standing>> {
  const rows = await ask(
    'read the verdicts',
    db<(Standing & { cid: Hex })[]>`
      select encode(b.blob_cid, 'hex') as cid, b.verdict, b.reason, c.case_file as "caseNumber"
      from blob b left join case_blob c on c.blob_cid = b.blob_cid
      where b.blob_cid in (select decode(c, 'hex') from unnest(${cids}::text[]) c)`,
  )
  return new Map(rows.map(({ cid, ...standing }) => [cid, standing]))
}

function byNearness(a: Nearness, b: Nearness): number {
  return a.distance - b.distance || variants.indexOf(a.variant) - variants.indexOf(b.variant)
}
