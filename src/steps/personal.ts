// Steps about personal data: erasing an account, and legal holds that keep it from being erased.
//
// Promises: each is one statement with its ledger intake; a legal hold and an erasure of the same account wait for each
// other, so that never both take place. An erasure that has to wait is tried again every minute by the service.
// A crash leaves all of a step or nothing.
import type { Database } from '../db/client.ts'
import { callStep } from '../db/client.ts'
import { crashPoint } from '../telemetry/crash-point.ts'

/** `label`: one is negated first. `entry`: a value is not in the ledger yet; a running service enters it in a moment. */
export type WaitsFor = 'legal-hold' | 'open-case' | 'action' | 'label' | 'entry'

export type Erased = {
  account: number
  result: 'erased' | 'waiting'
  waitsFor: WaitsFor[]
  /** Values and salts that went. */
  fields: number
}

/** Idempotent: asked again while it waits, the request stays one. Throws UsageError for a DID that is not known here. */
export async function requestErasure(
  db: Database,
  input: { did: string; basis: string; principal: number; nowMs: number },
): Promise<Erased> {
  crashPoint('erase:before')
  const [row] = await callStep<
    { account: number; result: Erased['result']; why: WaitsFor[]; fields: number }[]
  >(db, 'request_erasure_v1', {
    did: input.did,
    note: input.basis,
    principal: input.principal,
    now: new Date(input.nowMs),
  })
  crashPoint('erase:after')
  if (row === undefined) throw new TypeError('request_erasure_v1 answers with one row')
  return { account: row.account, result: row.result, waitsFor: row.why, fields: row.fields }
}

/** `known`: it was erased already; `unknown`: no such account; `other`: the number is a stranger's by now. */
export type Replayed = {
  result: 'erased' | 'waiting' | 'known' | 'unknown' | 'other'
  waitsFor: WaitsFor[]
}

/** An erasure that was done after the backup which this database comes from. */
export async function replayErasure(
  db: Database,
  input: { account: number; at: Date; principal: number; nowMs: number },
): Promise<Replayed> {
  const [row] = await callStep<{ result: Replayed['result']; why: WaitsFor[] }[]>(
    db,
    'replay_erasure_v1',
    {
      account: input.account,
      at: input.at,
      principal: input.principal,
      now: new Date(input.nowMs),
    },
  )
  if (row === undefined) throw new TypeError('replay_erasure_v1 answers with one row')
  return { result: row.result, waitsFor: row.why }
}

/** Throws UsageError for an account or a case that is not there. Returns its number. */
export async function placeLegalHold(
  db: Database,
  input: ({ did: string } | { caseNumber: number }) & {
    reason: string
    authority?: string
    principal: number
    nowMs: number
  },
): Promise<number> {
  const [row] = await callStep<{ id: number }[]>(db, 'place_legal_hold_v1', {
    ...('did' in input ? { did: input.did } : { case: input.caseNumber }),
    reason: input.reason,
    authority: input.authority,
    principal: input.principal,
    now: new Date(input.nowMs),
  })
  if (row === undefined) throw new TypeError('place_legal_hold_v1 answers with one row')
  return row.id
}

/** Throws UsageError when no such legal hold stands. */
export async function liftLegalHold(
  db: Database,
  input: { id: number; reason: string; principal: number; nowMs: number },
): Promise<void> {
  const { nowMs, ...rest } = input
  await callStep(db, 'lift_legal_hold_v1', { ...rest, now: new Date(nowMs) })
}
