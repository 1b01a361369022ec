// What a source hands in: one batch, one atomic step (`take_in`). Either all of it is durable and the cursor has moved, or nothing is.
import type { Did, Sighting } from './blob.ts'

export type GapReason = 'outdated-cursor' | 'future-cursor' | 'sequence-jump' | 'first-start'

/** Events that we know we did not see. `fromSeq` is the last one seen before, `toSeq` the first one seen after. */
export type Gap = {
  reason: GapReason
  fromSeq: number | null
  toSeq: number | null
  fromTimeMs: number | null
  toTimeMs: number | null
}

export type AccountStatus =
  | 'active'
  | 'deactivated'
  | 'suspended'
  | 'takendown'
  | 'deleted'
  | 'desynchronized'
  | 'throttled'
  | 'unknown'

export type CursorMove = {
  source: 'firehose'
  /** The host as configured (origin), not what any document says. */
  host: string
  /** The position this batch starts from; the step does nothing when the stored one differs. null: none is stored yet. */
  from: number | null
  to: number
  /** The fence: taken with the lead, refused when a later leader has raised it. */
  epoch: number
  eventTimeMs: number | null
}

/** Undecodable bytes from a source, kept so that a later build may understand them. */
export type UndecodableFrame = { seq: number | null; bytes: Uint8Array; error: string }

export type SourceBatch = {
  cursor?: CursorMove
  /** A webhook's own id: taken once per endpoint within the dedupe window. */
  delivery?: { endpoint: string; id: string; contentId?: string }
  sightings: Sighting[]
  undecodable: UndecodableFrame[]
  gaps: Gap[]
  recordDeletes: { did: Did; collection: string; rkey: string; rev: string }[]
  accounts: { did: Did; status: AccountStatus }[]
  identities: Did[]
  /** Addresses where announced bytes lie whose CID is not known yet (webhook `image_url` without `cid`). */
  urls: { did: Did; url: string; contentId?: string }[]
}

/**
 * `taken`: durable. `fenced`: another leader moved the cursor or raised the epoch: stop leading.
 * `duplicate`: this delivery id was taken before. Throws RetryableError when the database is away.
 */
export type TakeIn = (batch: SourceBatch) => Promise<'taken' | 'fenced' | 'duplicate'>

export function emptyBatch(): SourceBatch {
  return {
    sightings: [],
    undecodable: [],
    gaps: [],
    recordDeletes: [],
    accounts: [],
    identities: [],
    urls: [],
  }
}
