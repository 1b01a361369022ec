// Step take_in: a batch becomes durable together with the cursor that passed it.
//
// Promises: all or nothing, in one statement; a batch that is not from the leader of its cursor writes nothing.
// Assumes that the partition of today exists (db/partitions.ts).
// A crash before it leaves the cursor where it was, so the batch comes again; after it, nothing is left to do.
import { createHash } from 'node:crypto'
import type { SourceBatch, TakeIn } from '../domain/batch.ts'
import type { Sighting, SourceKind } from '../domain/blob.ts'
import { blobDigest, digestOf } from '../domain/cid.ts'
import type { OtherRule, OtherTypes } from '../domain/other-type.ts'
import type { Clock } from '../domain/ports.ts'
import type { Database } from '../db/client.ts'
import { callStep } from '../db/client.ts'
import { crashPoint } from '../telemetry/crash-point.ts'

export type TakenIn = { sightings: number; jobs: number }

export function createTakeIn(options: {
  db: Database
  clock: Clock
  source: SourceKind
  host: string
  /** The types of plug-ins: a blob that one of them has not answered about is scanned again. */
  others: OtherTypes
  onTaken?: (taken: TakenIn, batch: SourceBatch) => void
}): TakeIn {
  return async (batch) => {
    crashPoint('take-in:before')
    const rows = await callStep<
      { result: 'taken' | 'fenced' | 'duplicate'; sightings: number; jobs: number }[]
    >(options.db, 'take_in_v1', takeInPayload(batch, { ...options, nowMs: options.clock() }))
    crashPoint('take-in:after')
    const [row] = rows
    if (row === undefined) throw new TypeError('take_in_v1 answers with one row')
    if (row.result === 'taken') options.onTaken?.(row, batch)
    return row.result
  }
}

type TakenFrom = { source: SourceKind; host: string; others: OtherTypes; nowMs: number }

/** The batch as `take_in_v1` takes it, also from within another step. */
export function takeInPayload(
  batch: SourceBatch,
  { source, host, others, nowMs }: TakenFrom,
): object {
  return {
    now: new Date(nowMs),
    source,
    host,
    ...(others.size > 0 && { plugins: [...others.values()].map(askedAbout) }),
    ...(batch.cursor && {
      cursor: {
        from: batch.cursor.from,
        to: batch.cursor.to,
        epoch: batch.cursor.epoch,
        eventTime: isoOrNull(batch.cursor.eventTimeMs),
      },
    }),
    ...(batch.delivery && { delivery: batch.delivery }),
    sightings: unique(batch.sightings).map(sightingRow),
    urls: batch.urls,
    undecodable: batch.undecodable.map((frame) => ({
      seq: frame.seq,
      bytes: Buffer.from(frame.bytes).toString('base64'),
      error: frame.error.slice(0, 500),
    })),
    gaps: batch.gaps.map((gap) => ({
      reason: gap.reason,
      fromSeq: gap.fromSeq,
      toSeq: gap.toSeq,
      fromTime: isoOrNull(gap.fromTimeMs),
      toTime: isoOrNull(gap.toTimeMs),
    })),
    recordDeletes: batch.recordDeletes,
    accounts: batch.accounts,
    identities: batch.identities,
  }
}

function askedAbout({ type, version, media }: OtherRule): object {
  return { type, version, media }
}

function sightingRow(sighting: Sighting): object {
  const digest = blobDigest(sighting.blobCid)
  return {
    did: sighting.did,
    cid: digest ?? createHash('sha256').update(sighting.blobCid).digest('hex'),
    ...(digest === undefined && { unsupported: sighting.blobCid.slice(0, 512) }),
    recordCid: sighting.recordCid === undefined ? undefined : digestOf(sighting.recordCid),
    collection: sighting.collection,
    rkey: sighting.rkey,
    rev: sighting.rev,
  }
}

/** A record that names one blob twice is one sighting. */
function unique(sightings: Sighting[]): Sighting[] {
  const seen = new Map<string, Sighting>()
  for (const sighting of sightings) {
    seen.set(
      JSON.stringify([sighting.did, sighting.collection, sighting.rkey, sighting.blobCid]),
      sighting,
    )
  }
  return [...seen.values()]
}

function isoOrNull(ms: number | null): Date | null {
  return ms === null ? null : new Date(ms)
}
