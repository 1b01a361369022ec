// What was recorded of matches and places, a page of blobs at a time, so that policies can be tried on it.
import type { Database } from '../db/client.ts'
import { ask } from '../db/client.ts'
import type { AnySignalType, Hex } from '../domain/blob.ts'
import type { Variant } from '../domain/variant.ts'

export type ReplayMatch = {
  signal: number
  content: number
  bank: number
  type: AnySignalType
  distance: number
  variant: Variant
  setAside: 'ratio' | 'negative' | null
  setAsideBy: number | null
  /** The negative bank, where one kept it from counting. */
  setAsideByBank: number | null
}

export type ReplayPlace = {
  account: number
  collection: string | null
  rkey: string | null
  /** When it was first seen there. */
  at: string
}

export const replayLimits = {
  blobsPerPage: 500,
  /** Of one blob; a blob that was seen in more places counts with the newest of them. */
  placesPerBlob: 10_000,
} as const

/** The blobs after this one that matched something that is live; each with all that matched it. */
export async function matchedAfter(
  db: Database,
  after: Hex,
): Promise<{ cid: Hex; matches: ReplayMatch[] }[]> {
  return ask(
    'read recorded matches',
    db<{ cid: Hex; matches: ReplayMatch[] }[]>`
      select encode(m.blob_cid, 'hex') as cid, jsonb_agg(jsonb_build_object('signal', m.signal, 'content', m.content,
          'bank', m.bank, 'type', m.type, 'distance', m.distance, 'variant', m.variant, 'setAside', m.set_aside,
          'setAsideBy', m.set_aside_by, 'setAsideByBank', nc.bank)) as matches
      from (select distinct blob_cid from match where blob_cid > decode(${after}, 'hex') order by blob_cid
        limit ${replayLimits.blobsPerPage}) page
      join match m on m.blob_cid = page.blob_cid
      left join bank_content nc on nc.id = m.set_aside_by
      group by m.blob_cid order by m.blob_cid`,
  )
}

/** Of these contents, those that may match now: neither removed nor disabled. */
export async function liveContents(
  db: Database,
  contents: readonly number[],
  now: Date,
): Promise<Set<number>> {
  const rows = await ask(
    'read which contents are live',
    db<{ id: number }[]>`
      select c.id from bank_content c
      where c.id = any (${[...new Set(contents)]}::integer[]) and c.removed_at is null
        and (c.disable_until_ts = 1 or c.disable_until_ts between 2 and extract(epoch from ${now}::timestamptz))`,
  )
  return new Set(rows.map((row) => row.id))
}

/** Where these blobs were seen since then, each place once. */
export async function placesOfBlobs(
  db: Database,
  cids: readonly Hex[],
  since: Date,
): Promise<Map<Hex, ReplayPlace[]>> {
  const rows = await ask(
    'read the places of matched blobs',
    db<{ cid: Hex; places: ReplayPlace[] }[]>`
      select w.c as cid, coalesce(jsonb_agg(to_jsonb(p)) filter (where p.account is not null), '[]') as places
      from unnest(${[...cids]}::text[]) w(c)
      left join lateral (
        select s.account, s.collection, s.rkey, min(s.at) as at from sighting s
        where blob_key(s.blob_cid) = blob_key(decode(w.c, 'hex')) and s.blob_cid = decode(w.c, 'hex') and s.at >= ${since}
        group by s.account, s.collection, s.rkey order by min(s.at) desc limit ${replayLimits.placesPerBlob}
      ) p on true
      group by w.c`,
  )
  return new Map(rows.map((row) => [row.cid, row.places]))
}
