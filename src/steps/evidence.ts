// Steps of the evidence vault: names given out, destruction begun and ended, requests of people. What was kept is
// recorded by settle, with the decisions that it belongs to.
//
// Promises: a name is written down before a file has it; a copy is marked as going before its file is removed, and said to
// be gone after. A crash leaves a plan (removed a day later) or a mark (done again).
import type { Database } from '../db/client.ts'
import { ask, callStep } from '../db/client.ts'
import type { Hex } from '../domain/blob.ts'

export const evidenceStepLimits = {
  /** Evidence whose copies go in one statement. */
  batch: 50,
  /** A removal that did not end is tried again after this. */
  retryMs: 5 * 60_000,
  /** A file that no evidence counts: of a process that died between the store and settle. */
  orphanMs: 24 * 3600 * 1000,
} as const

export type PlannedEvidence = {
  id: number
  account: number
  /** Known when the blob, or the pass that found it, has a case already. */
  case_file: number | null
}

export type EvidenceNames = { account: number; sealed: string; working: string }

/** For the accounts of which nothing is kept yet; the others are left out. */
export function planEvidence(
  db: Database,
  input: { cid: Hex; retro: number | null; places: EvidenceNames[]; nowMs: number },
): Promise<PlannedEvidence[]> {
  const { nowMs, ...rest } = input
  return callStep<PlannedEvidence[]>(db, 'plan_evidence_v1', { ...rest, now: new Date(nowMs) })
}

/** Both copies are in the store under the names that were planned. Becomes a row when settle finds the decision. */
export type KeptEvidence = {
  id: number
  account: number
  /** For people, without a name: never a DID. */
  facts: Record<string, string | number>
  sealedBytes: number
  sealedSha256: Hex
  workingBytes: number
  workingSha256: Hex
}

export type MissedEvidence = { account: number; reason: string; waitedSeconds: number }

/** What settle records beside the decisions. `waits`: some places are left for a next run, so the wait goes on. */
export type SettledEvidence = { kept: KeptEvidence[]; missed: MissedEvidence[]; waits: boolean }

export async function waitingSince(db: Database, cid: Hex): Promise<Date | undefined> {
  const [row] = await ask(
    'look since when evidence is waited for',
    db<{ since: Date }[]>`select since from evidence_wait where blob_cid = decode(${cid}, 'hex')`,
  )
  return row?.since
}

export type GoingEvidence = {
  id: number
  copies: 'working' | 'both'
  basis: string
  sealed_object: string
  working_object: string
  working_there: boolean
}

/** Marked as going: what a clock, a case or two people let go, and no legal hold keeps. */
export function takeEvidence(db: Database, nowMs: number): Promise<GoingEvidence[]> {
  return callStep<GoingEvidence[]>(db, 'take_evidence_v1', {
    now: new Date(nowMs),
    retryBefore: new Date(nowMs - evidenceStepLimits.retryMs),
    limit: evidenceStepLimits.batch,
  })
}

/** The files are gone. false: another process has said so. */
export async function endEvidence(
  db: Database,
  input: { evidence: number; method: string; nowMs: number },
): Promise<boolean> {
  const [row] = await callStep<{ ended: boolean }[]>(db, 'end_evidence_v1', {
    evidence: input.evidence,
    method: input.method,
    now: new Date(input.nowMs),
  })
  return row?.ended === true
}

export type EvidencePlan = { id: number; sealed_object: string; working_object: string }

/** Plans that are so old that no scan can still be at them. */
export function orphanedPlans(db: Database, nowMs: number): Promise<EvidencePlan[]> {
  const before = new Date(nowMs - evidenceStepLimits.orphanMs)
  return ask(
    'find evidence files that nothing counts',
    db<EvidencePlan[]>`
      select id, sealed_object, working_object from evidence_plan
      where planned_at < ${before} order by id limit ${evidenceStepLimits.batch}`,
  )
}

export async function forgetPlans(db: Database, ids: number[]): Promise<void> {
  await callStep(db, 'forget_evidence_plans_v1', { ids })
}

/** Throws UsageError when it does not exist, is destroyed, or a legal hold keeps it. */
export async function askToDestroy(
  db: Database,
  input: { evidence: number; reason: string; authority: string; principal: number; nowMs: number },
): Promise<{ request: number; asked: boolean }> {
  const { nowMs, ...rest } = input
  const [row] = await callStep<{ request: number; asked: boolean }[]>(
    db,
    'ask_destroy_evidence_v1',
    { ...rest, now: new Date(nowMs) },
  )
  if (row === undefined) throw new TypeError('ask_destroy_evidence_v1 answers with one row')
  return row
}

/** Throws UsageError when it is decided otherwise, is the principal's own, or a legal hold keeps the evidence. */
export async function decideDestroy(
  db: Database,
  input: { request: number; verb: 'approve' | 'reject'; principal: number; nowMs: number },
): Promise<{ evidence: number; changed: boolean }> {
  const { nowMs, ...rest } = input
  const [row] = await callStep<{ evidence: number; changed: boolean }[]>(
    db,
    'decide_destroy_evidence_v1',
    { ...rest, now: new Date(nowMs) },
  )
  if (row === undefined) throw new TypeError('decide_destroy_evidence_v1 answers with one row')
  return row
}
