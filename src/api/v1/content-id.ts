// What a caller calls a content, as the places where its blobs lie.
//
// Accepts the address of a record (read from the account's own host), `did/cid`, the CID of a blob that was seen here, and
// a name that the caller gave in a webhook. Reads and asks; writes nothing.
import { parseCidSafe } from '@atproto/lex-data'
import { isValidDid } from '@atproto/syntax'
import type { Database } from '../../db/client.ts'
import { ask } from '../../db/client.ts'
import type { HostReason, Sighting } from '../../domain/blob.ts'
import { blobCidOf, blobDigest, recordCidOf } from '../../domain/cid.ts'
import type { RecordReader } from '../../domain/ports.ts'
import { blobRefsIn } from '../../sources/blob-walker.ts'
import { recordOf } from '../../sources/webhook-payload.ts'

export const contentLimits = {
  idCharsMax: 2_560,
  /** Of one content: more are for a bank, not for a request. */
  placesMax: 100,
  readMs: 10_000,
} as const

export type Content =
  | { kind: 'places'; places: Sighting[] }
  | { kind: 'refused'; sentence: string; code: string }
  | { kind: 'later'; sentence: string }

type Parts = { db: Database; readRecord: RecordReader }

/** The sentences never repeat what was sent. */
export async function contentOf(
  contentId: string,
  parts: Parts,
  signal: AbortSignal,
): Promise<Content> {
  if (contentId.startsWith('at://')) return ofRecord(contentId, parts, signal)
  const [, did, text] = /^(did:[^/]+)\/([^/]+)$/.exec(contentId) ?? []
  if (did !== undefined && text !== undefined) return ofBlobInAccount(did, text)
  const cid = parseCidSafe(contentId)?.toString()
  return cid === undefined ? ofName(contentId, parts.db) : ofBlob(cid, parts.db)
}

async function ofRecord(uri: string, { readRecord }: Parts, signal: AbortSignal): Promise<Content> {
  const place = recordOf(uri)
  if (place === undefined)
    return refused('An at:// address has to name a DID, a collection and a record key.', 'content')
  const inTime = AbortSignal.any([signal, AbortSignal.timeout(contentLimits.readMs)])
  const copy = await readRecord({ ...place, signal: inTime })
  if (copy.kind === 'none')
    return isForNow(copy.reason)
      ? { kind: 'later', sentence: `The record's host does not answer now: ${copy.reason}.` }
      : refused(`The record cannot be read: ${copy.reason}.`, 'no-record')
  const { refs, truncated } = blobRefsIn((JSON.parse(copy.json) as { value?: unknown }).value)
  if (refs.length === 0) return refused('The record carries no blob.', 'no-blob')
  if (truncated) return tooMany()
  const recordCid = copy.cid === undefined ? {} : { recordCid: copy.cid }
  return places(
    refs.map(({ cid }) => ({ ...place, ...recordCid, blobCid: cid, source: 'api' as const })),
  )
}

function ofBlobInAccount(did: string, text: string): Content {
  if (!isValidDid(did)) return refused('content_id names no DID.', 'content')
  const cid = parseCidSafe(text)?.toString()
  if (cid === undefined || blobDigest(cid) === undefined)
    return refused('content_id names no blob: a CIDv1, raw, sha2-256.', 'content')
  return places([{ did, blobCid: cid, source: 'api' }])
}

type PlaceRow = {
  did: string
  collection: string | null
  rkey: string | null
  recordCid: string | null
}

async function ofBlob(cid: string, db: Database): Promise<Content> {
  const digest = blobDigest(cid)
  if (digest === undefined)
    return refused('content_id is the CID of no blob: a CIDv1, raw, sha2-256.', 'content')
  const rows = await ask(
    'find where a blob was seen',
    db<PlaceRow[]>`
      select distinct a.did, s.collection, s.rkey, encode(s.record_cid, 'hex') as "recordCid"
      from sighting s join account a on a.id = s.account
      where blob_key(s.blob_cid) = blob_key(decode(${digest}, 'hex')) and s.blob_cid = decode(${digest}, 'hex')
        and a.did is not null
      limit ${contentLimits.placesMax + 1}`,
  )
  if (rows.length === 0)
    return refused('This blob was not seen here: name its account too, as did/cid.', 'unknown')
  return places(rows.map((row) => seenPlace(row, cid)))
}

/** The webhook's own word for an upload. */
async function ofName(contentId: string, db: Database): Promise<Content> {
  const [row] = await ask(
    'find what a caller calls a content',
    db<{ did: string; cid: string }[]>`
      select a.did, encode(w.blob_cid, 'hex') as cid from webhook_content w join account a on a.id = w.account
      where w.endpoint = 'atproto-callback' and w.content_id = ${contentId} and a.did is not null`,
  )
  if (row !== undefined)
    return places([{ did: row.did, blobCid: blobCidOf(row.cid), source: 'api' }])
  const [waiting] = await ask(
    'find an announced upload',
    db`select 1 from job where kind = 'url' and detail->>'contentId' = ${contentId} limit 1`,
  )
  return waiting === undefined
    ? refused(
        'content_id is unknown here: use an at:// address, did/cid, or a name that a webhook announced.',
        'unknown',
      )
    : { kind: 'later', sentence: 'This upload was announced and its bytes are not here yet.' }
}

function seenPlace({ did, collection, rkey, recordCid }: PlaceRow, blobCid: string): Sighting {
  return {
    ...{ did, blobCid, source: 'api' },
    ...(collection !== null && rkey !== null && { collection, rkey }),
    ...(recordCid !== null && { recordCid: recordCidOf(recordCid) }),
  }
}

function places(found: Sighting[]): Content {
  return found.length > contentLimits.placesMax ? tooMany() : { kind: 'places', places: found }
}

function tooMany(): Content {
  const sentence = `content_id stands for more than ${contentLimits.placesMax} places: name one of them.`
  return refused(sentence, 'too-many')
}

function refused(sentence: string, code: string): Content {
  return { kind: 'refused', sentence, code }
}

const forNow: readonly HostReason[] = [
  'timeout',
  'network',
  'server-error',
  'rate-limited',
  'host-failing',
  'identity-failed',
]

function isForNow(reason: HostReason): boolean {
  return forNow.includes(reason)
}
