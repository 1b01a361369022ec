// Steps around a request that would do something twice: begun under the caller's own key before, answered after.
//
// Promises: of all requests of one principal with one key one is begun. A crash between the two leaves one that nobody
// knows the outcome of; it is told so and never done again.
import type { Database } from '../db/client.ts'
import { callStep } from '../db/client.ts'
import type { Hex } from '../domain/blob.ts'

export const requestLimits = { keepHours: 24 } as const

export type Begun = { begun: boolean; same: boolean; status: number | null; answer: string | null }

/** `request`: a digest of what is asked. */
export async function beginRequest(
  db: Database,
  input: { principal: number; key: string; request: Hex; nowMs: number },
): Promise<Begun> {
  const { nowMs, ...rest } = input
  const [row] = await callStep<Begun[]>(db, 'begin_request_v1', { ...rest, now: new Date(nowMs) })
  if (row === undefined) throw new TypeError('begin_request_v1 answers with one row')
  return row
}

export async function endRequest(
  db: Database,
  input: { principal: number; key: string; status: number; answer: string },
): Promise<void> {
  await callStep(db, 'end_request_v1', input)
}

export async function dropRequests(db: Database, nowMs: number): Promise<void> {
  const before = new Date(nowMs - requestLimits.keepHours * 3_600_000)
  await callStep(db, 'drop_requests_v1', { before })
}
