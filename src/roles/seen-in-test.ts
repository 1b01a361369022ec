// Blobs of a window, straight into the tables: what scans of many kinds would have left.
import { createHash } from 'node:crypto'
import type { Database } from '../db/client.ts'
import { ensurePartitions } from '../db/partitions.ts'
import type { Hex } from '../domain/blob.ts'
import type { View } from '../domain/variant.ts'
import { testDatabase } from '../testing/database.ts'

export const seenNowMs = Date.parse('2026-11-21T12:00:00.000Z')
const dayMs = 86_400_000

export type SeenBlob = {
  cid: Hex
  pdq?: Hex
  quality?: number
  md5?: Hex
  sha1?: Hex
  views?: { view: Exclude<View, 'plain'>; pdq: Hex }[]
  places: { account: number; daysAgo: number; rkey?: string }[]
}

/** With room for sightings of the 40 days before `nowMs`, and 50 accounts. */
export async function seenDatabase(
  context?: { after(clean: () => Promise<void>): void },
  nowMs = seenNowMs,
) {
  const database = await testDatabase(context)
  await ensurePartitions({
    db: database.owner,
    table: 'sighting',
    every: 'day',
    ahead: 41,
    nowMs: nowMs - 40 * dayMs,
  })
  await database.owner`insert into account (did) select 'did:plc:' || n from generate_series(1, 50) n`
  return database
}

export async function putBlobs(
  owner: Database,
  blobs: readonly SeenBlob[],
  nowMs = seenNowMs,
): Promise<void> {
  const rows = blobs.map(({ cid, pdq, quality, md5, sha1 }) => ({ cid, pdq, quality, md5, sha1 }))
  await owner`
    insert into blob (hashed_at, bank_generation, verdict, kind, coverage, quality, blob_cid, pdq, md5, sha1)
    select ${new Date(nowMs)}, 0, 'clear', 'image', 15, b.quality, decode(b.cid, 'hex'), decode(b.pdq, 'hex'),
      decode(b.md5, 'hex'), decode(b.sha1, 'hex')
    from jsonb_to_recordset(${owner.json(rows)}::jsonb)
      as b(cid text, pdq text, quality smallint, md5 text, sha1 text)`
  const views = blobs.flatMap(({ cid, views }) => (views ?? []).map((view) => ({ cid, ...view })))
  await owner`
    insert into blob_variant (blob_cid, variant, quality, pdq)
    select decode(v.cid, 'hex'), v.view, 90, decode(v.pdq, 'hex')
    from jsonb_to_recordset(${owner.json(views)}::jsonb) as v(cid text, view text, pdq text)`
  const places = blobs.flatMap(({ cid, places }) =>
    places.map(({ account, daysAgo, rkey }) => ({
      cid,
      account,
      at: new Date(nowMs - daysAgo * dayMs).toISOString(),
      ...(rkey !== undefined && { collection: 'app.bsky.feed.post', rkey }),
    })),
  )
  await owner`
    insert into sighting (at, account, source, blob_cid, collection, rkey)
    select p.at, p.account, 'firehose', decode(p.cid, 'hex'), p.collection, p.rkey
    from jsonb_to_recordset(${owner.json(places)}::jsonb)
      as p(cid text, account bigint, at timestamptz, collection text, rkey text)`
}

/** 64 hex digits that belong to this text. */
export function hashOf(text: string): Hex {
  return createHash('sha256').update(text).digest('hex')
}

/** The same hash with these of its 256 bits (0: the first digit's highest) turned over. */
export function withBits(hash: Hex, bits: readonly number[]): Hex {
  const bytes = Buffer.from(hash, 'hex')
  for (const bit of bits) bytes[bit >> 3]! ^= 0x80 >> (bit & 7)
  return bytes.toString('hex')
}
