// The kept window: what was seen lately, its stored signals in packed pages, and where it was seen.
//
// Promises: reads only. A pass reads every stored blob once, in the order of their digests, a short statement a page: no
// lock and no snapshot is held between pages. What is settled behind the position of a pass is not seen by it, as it
// would not have been by one that began earlier. Pages are packed bytes, no object a row.
import type { Database } from '../db/client.ts'
import { ask } from '../db/client.ts'
import type { Hex } from '../domain/blob.ts'
import { pdqQualityMin } from '../domain/blob.ts'
import { RetryableError } from '../domain/errors.ts'
import { views } from '../domain/variant.ts'
import type { View } from '../domain/variant.ts'

export const windowLimits = { rowsPerPage: 20_000, cidsPerQuestion: 2_000 } as const

export const cidBytes = 32
const dayMs = 86_400_000

/** The bits of `SignalPage.has`. */
export const hasBits = { pdq: 1, md5: 2, sha1: 4 } as const

/** `count` rows side by side: 32 bytes each of `cids` and `pdq`, 16 of `md5`, 20 of `sha1`, 1 of `has` and `views`. */
export type SignalPage = {
  count: number
  /** The sha2-256 digests, which are the blobs' names and signals too. */
  cids: Uint8Array
  /** Which of the others are there; where one is not, its bytes are 0. A PDQ of too little quality is not there. */
  has: Uint8Array
  pdq: Uint8Array
  md5: Uint8Array
  sha1: Uint8Array
  /** Positions in `views` (domain/variant.ts): how the picture was looked at. */
  views: Uint8Array
}

/** `of` is an estimate until the last call. */
export type Progress = (done: number, of: number) => void

export function windowStart(keepDays: number, nowMs: number): Date {
  return new Date(nowMs - keepDays * dayMs)
}

export async function isWindowEmpty(db: Database, since: Date): Promise<boolean> {
  const [row] = await ask(
    'look whether anything was seen',
    db<{ seen: boolean }[]>`select exists (select from sighting where at >= ${since}) as seen`,
  )
  return row?.seen !== true
}

/** Every stored blob. Throws RetryableError when stopped. */
export async function* signalPages(
  db: Database,
  options: { onProgress?: Progress | undefined; signal?: AbortSignal | undefined } = {},
): AsyncGenerator<SignalPage> {
  let after: Uint8Array = new Uint8Array()
  let done = 0
  for (;;) {
    stopIfAsked(options.signal)
    const page = await signalPage(db, after)
    if (page.count > 0) yield page
    done += page.count
    if (page.count < windowLimits.rowsPerPage) break
    after = page.cids.subarray(-cidBytes)
    options.onProgress?.(done, Math.max(done, Math.round(done / placeOf(after))))
  }
  options.onProgress?.(done, done)
}

/** Only what was seen since then. The pages of `signalPages`, thinned out: their `count` says how many are left. */
export async function* seenPages(
  db: Database,
  since: Date,
  options: { onProgress?: Progress | undefined; signal?: AbortSignal | undefined } = {},
): AsyncGenerator<SignalPage> {
  for await (const page of signalPages(db, options)) {
    yield onlyRows(page, await rowsSeen(db, page.cids, since))
  }
}

/** Every stored picture that was also looked at on white or without its border. `cids` may repeat. */
export async function* viewPages(
  db: Database,
  options: { signal?: AbortSignal | undefined } = {},
): AsyncGenerator<SignalPage> {
  let after: { cid: Uint8Array; view: View } = { cid: new Uint8Array(), view: 'plain' }
  for (;;) {
    stopIfAsked(options.signal)
    const page = await viewPage(db, after)
    if (page.count > 0) yield page
    if (page.count < windowLimits.rowsPerPage) return
    const view = views[page.views.at(-1) ?? 0] ?? 'plain'
    after = { cid: page.cids.subarray(-cidBytes), view }
  }
}

export type SeenPlaces = {
  cid: Hex
  sightings: number
  /** Distinct, in no order. */
  accounts: number[]
  /** Distinct records, and those of them that a takedown may be about: never a profile. */
  records: number
  recordsToTakeDown: number
  first: Date
  last: Date
}

/** Where these blobs were seen since then; a blob that was not is left out. Any number of CIDs, a page of them a question. */
export async function* placesSince(
  db: Database,
  cids: readonly Hex[],
  since: Date,
): AsyncGenerator<SeenPlaces[]> {
  for (let at = 0; at < cids.length; at += windowLimits.cidsPerQuestion) {
    const page = cids.slice(at, at + windowLimits.cidsPerQuestion)
    yield await ask(
      'read where blobs were seen',
      db<SeenPlaces[]>`
        select encode(s.blob_cid, 'hex') as cid, count(*) as sightings, array_agg(distinct s.account) as accounts,
          count(distinct (s.account, s.collection, s.rkey)) filter (where s.collection is not null) as records,
          count(distinct (s.account, s.collection, s.rkey))
            filter (where s.collection is not null and s.rkey is distinct from 'self') as "recordsToTakeDown",
          min(s.at) as first, max(s.at) as last
        from (select decode(c, 'hex') as cid from unnest(${page}::text[]) c) w
        join sighting s on blob_key(s.blob_cid) = blob_key(w.cid) and s.blob_cid = w.cid
        where s.at >= ${since}
        group by s.blob_cid`,
    )
  }
}

type PageRow = { [column in keyof Omit<SignalPage, 'count'>]: Uint8Array | null } & {
  count: number
}

async function signalPage(db: Database, after: Uint8Array): Promise<SignalPage> {
  const [row] = await ask(
    'read stored signals',
    db<PageRow[]>`
      select count(*) as count, string_agg(blob_cid, '') as cids,
        string_agg(set_byte('\\x00', 0, (pdq is not null and quality >= ${pdqQualityMin})::integer * ${hasBits.pdq}
          + (md5 is not null)::integer * ${hasBits.md5} + (sha1 is not null)::integer * ${hasBits.sha1}), '') as has,
        string_agg(coalesce(pdq, decode(repeat('00', 32), 'hex')), '') as pdq,
        string_agg(coalesce(md5, decode(repeat('00', 16), 'hex')), '') as md5,
        string_agg(coalesce(sha1, decode(repeat('00', 20), 'hex')), '') as sha1,
        string_agg('\\x00'::bytea, '') as views
      from (
        select blob_cid, pdq, quality, md5, sha1 from blob
        where blob_cid > ${after} order by blob_cid limit ${windowLimits.rowsPerPage}
      ) page`,
  )
  return toPage(row)
}

async function viewPage(db: Database, after: { cid: Uint8Array; view: View }): Promise<SignalPage> {
  const names = [...views]
  const [row] = await ask(
    'read stored views',
    db<PageRow[]>`
      select count(*) as count, string_agg(blob_cid, '') as cids,
        string_agg(set_byte('\\x00', 0, ${hasBits.pdq}), '') as has, string_agg(pdq, '') as pdq,
        null::bytea as md5, null::bytea as sha1,
        string_agg(set_byte('\\x00', 0, array_position(${names}::text[], variant) - 1), '') as views
      from (
        select blob_cid, variant, pdq from blob_variant
        where (blob_cid, variant) > (${after.cid}, ${after.view}) order by blob_cid, variant
        limit ${windowLimits.rowsPerPage}
      ) page`,
  )
  return toPage(row)
}

function toPage(row: PageRow | undefined): SignalPage {
  const bytes = (column: Uint8Array | null | undefined) => column ?? new Uint8Array()
  return {
    count: row?.count ?? 0,
    cids: bytes(row?.cids),
    has: bytes(row?.has),
    pdq: bytes(row?.pdq),
    md5: bytes(row?.md5),
    sha1: bytes(row?.sha1),
    views: bytes(row?.views),
  }
}

/** Which rows of these sorted digests were seen since then. */
async function rowsSeen(db: Database, cids: Uint8Array, since: Date): Promise<number[]> {
  const parts: Uint8Array[] = []
  for (const { from, to } of keyRanges(cids)) {
    const [row] = await ask(
      'read what was seen',
      db<{ cids: Uint8Array | null }[]>`
        select string_agg(blob_cid, '' order by blob_cid) as cids from (
          select distinct s.blob_cid from sighting s
          where s.at >= ${since} and s.blob_cid between ${from} and ${to}
            and blob_key(s.blob_cid) between blob_key(${from}) and blob_key(${to})
        ) seen`,
    )
    parts.push(row?.cids ?? new Uint8Array())
  }
  const seen = Buffer.concat(parts)
  const rows: number[] = []
  let at = 0
  for (let index = 0; index < cids.length / cidBytes && at < seen.length; index++) {
    const cid = cids.subarray(index * cidBytes, (index + 1) * cidBytes)
    while (at < seen.length && seen.compare(cid, 0, cidBytes, at, at + cidBytes) < 0) at += cidBytes
    if (at < seen.length && seen.compare(cid, 0, cidBytes, at, at + cidBytes) === 0)
      rows.push(index)
  }
  return rows
}

/** From the first to the last, in parts whose first 8 bytes rise as the signed numbers that the index has of them. */
function keyRanges(cids: Uint8Array): { from: Uint8Array; to: Uint8Array }[] {
  const from = Buffer.from(cids.subarray(0, cidBytes))
  const to = Buffer.from(cids.subarray(-cidBytes))
  if ((from[0] as number) >= 0x80 || (to[0] as number) < 0x80) return [{ from, to }]
  const lastPositive = Buffer.alloc(cidBytes, 0xff)
  lastPositive[0] = 0x7f
  const firstNegative = Buffer.alloc(cidBytes)
  firstNegative[0] = 0x80
  return [
    { from, to: lastPositive },
    { from: firstNegative, to },
  ]
}

function onlyRows(page: SignalPage, rows: number[]): SignalPage {
  const keep = (from: Uint8Array, width: number) => {
    const kept = new Uint8Array(rows.length * width)
    for (const [to, row] of rows.entries())
      kept.set(from.subarray(row * width, (row + 1) * width), to * width)
    return kept
  }
  return {
    count: rows.length,
    cids: keep(page.cids, cidBytes),
    has: keep(page.has, 1),
    pdq: keep(page.pdq, 32),
    md5: keep(page.md5, 16),
    sha1: keep(page.sha1, 20),
    views: keep(page.views, 1),
  }
}

/** Digests are spread evenly: how far one lies between the lowest and the highest, above 0 to 1. */
function placeOf(cid: Uint8Array): number {
  return (((cid[0] ?? 0) * 256 + (cid[1] ?? 0)) * 256 + (cid[2] ?? 0) + 1) / 2 ** 24
}

/** The digest of a row, 64 hex digits. */
export function cidAt(page: SignalPage, row: number): Hex {
  const { buffer, byteOffset, length } = page.cids
  return Buffer.from(buffer, byteOffset, length).toString(
    'hex',
    row * cidBytes,
    (row + 1) * cidBytes,
  )
}

export function stopIfAsked(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) throw new RetryableError('stopped before the end')
}
