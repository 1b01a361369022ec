// Step request_action: somebody else's program asks for an action.
//
// Promises: nothing is done because of the asking: its places become sightings, and our own scan fetches, verifies,
// matches and decides (promises 7 and 12). Request, sightings, cases and the ledger's intake are one statement; the same
// request again changes nothing. A crash before it leaves nothing, and the caller asks again.
import { createHash } from 'node:crypto'
import { emptyBatch } from '../domain/batch.ts'
import type { Sighting } from '../domain/blob.ts'
import type { OtherTypes } from '../domain/other-type.ts'
import type { Database } from '../db/client.ts'
import { callStep } from '../db/client.ts'
import { matchesSince } from './api-matches.ts'
import { takeInPayload } from './take-in.ts'

export const requestKinds = ['takedown', 'review', 'report_ncmec'] as const
export type RequestKind = (typeof requestKinds)[number]

export type ActionRequest = {
  actionId: string
  kind: RequestKind
  contentId: string
  matchId: string | undefined
}

export type Requested = {
  result: 'requested' | 'same' | 'conflict'
  kind: RequestKind
  /** The case that a person sees, where one was asked for. */
  case_file: number | null
}

/** What an action id stands for: the same words again are the same request. */
export function requestDigest({ kind, contentId, matchId }: ActionRequest): string {
  return createHash('sha256')
    .update(JSON.stringify([kind, contentId, matchId ?? null]))
    .digest('hex')
}

/** Throws UsageError when the match is none that this principal was told of in the last 30 days. */
export async function requestAction(
  db: Database,
  input: {
    request: ActionRequest
    places: Sighting[]
    others: OtherTypes
    principal: number
    nowMs: number
  },
): Promise<Requested> {
  const { request, places, others, principal, nowMs } = input
  const batch = takeInPayload(
    { ...emptyBatch(), sightings: places },
    { source: 'api', host: 'api', others, nowMs },
  )
  const [row] = await callStep<Requested[]>(db, 'request_action_v1', {
    ...{ principal, batch, now: new Date(nowMs) },
    actionId: request.actionId,
    body: requestDigest(request),
    kind: request.kind,
    ...(request.matchId !== undefined && { matchId: request.matchId }),
    matchSince: matchesSince(nowMs),
  })
  if (row === undefined) throw new TypeError('request_action_v1 answers with one row')
  return row
}
