// What could not be scanned: counted by reason, listed, tried again.
import type { Database } from '../db/client.ts'
import { ask, callStep } from '../db/client.ts'
import type { Hex } from '../domain/blob.ts'

export type ReasonCount = { reason: string; blobs: number; newest: Date }

export async function unscannableByReason(db: Database): Promise<ReasonCount[]> {
  return ask(
    'count the unscannable blobs',
    db<ReasonCount[]>`
      select reason, count(*) as blobs, max(hashed_at) as newest
      from blob where verdict = 'unscannable' group by reason order by count(*) desc, reason`,
  )
}

export type UnscannableRow = {
  cid: Hex
  /** The reference as the record spells it, when it is no CID that could be verified. */
  spelled: string | null
  reason: string
  kind: string | null
  bytes: number | null
  at: Date
  sightings: number
}

/** Newest first. */
export async function listUnscannable(
  db: Database,
  options: { reason: string | undefined; limit: number; offset: number },
): Promise<UnscannableRow[]> {
  const reason = options.reason ?? null
  return ask(
    'list the unscannable blobs',
    db<UnscannableRow[]>`
      select encode(b.blob_cid, 'hex') as cid, u.cid as spelled, b.reason, b.kind, b.bytes, b.hashed_at as at,
        (select count(*) from sighting s
          where blob_key(s.blob_cid) = blob_key(b.blob_cid) and s.blob_cid = b.blob_cid) as sightings
      from blob b left join cid_unsupported u on u.blob_cid = b.blob_cid
      where b.verdict = 'unscannable' and (${reason}::text is null or b.reason = ${reason})
      order by b.hashed_at desc, b.blob_cid limit ${options.limit} offset ${options.offset}`,
  )
}

/** Raises scan jobs and returns how many. Without cid or reason: all that another try may help. */
export async function retryUnscannable(
  db: Database,
  input: { cid?: Hex; reason?: string; limit: number; principal: number; nowMs: number },
): Promise<number> {
  const [row] = await callStep<{ raised: number }[]>(db, 'retry_unscannable_v1', {
    ...(input.cid !== undefined && { cid: input.cid }),
    ...(input.reason !== undefined && { reason: input.reason }),
    limit: input.limit,
    principal: input.principal,
    now: new Date(input.nowMs),
  })
  return row?.raised ?? 0
}
