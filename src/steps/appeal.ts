// Step appeal: somebody objected to what a case did, and what a person made of it. One statement each, with its entry.
//
// Promises: nothing about who objected is in the ledger; the note is kept sealed. An appeal changes nothing by itself:
// what it leads to is an overturn or a release, by a person.
import type { Database } from '../db/client.ts'
import { callStep } from '../db/client.ts'

export const appealOutcomes = ['upheld', 'rejected'] as const
export type AppealOutcome = (typeof appealOutcomes)[number]

export type Appealed = { appeal: number; state: string }

type Said = { caseNumber: number; note?: string; principal: number; nowMs: number }

/** Throws UsageError when there is no such case, or the time is in the future. Not idempotent: each call is an appeal. */
export async function receiveAppeal(
  db: Database,
  input: Said & { receivedMs?: number },
): Promise<Appealed> {
  const [row] = await callStep<Appealed[]>(db, 'receive_appeal_v1', {
    case: input.caseNumber,
    ...(input.receivedMs !== undefined && { received: new Date(input.receivedMs) }),
    note: input.note,
    principal: input.principal,
    now: new Date(input.nowMs),
  })
  if (row === undefined) throw new TypeError('receive_appeal_v1 answers with one row')
  return row
}

/** `appeal` may be absent where one is open. Throws UsageError when none is, or several are. */
export async function resolveAppeal(
  db: Database,
  input: Said & { appeal?: number; outcome: AppealOutcome },
): Promise<Appealed> {
  const [row] = await callStep<(Appealed & { received: Date })[]>(db, 'resolve_appeal_v1', {
    case: input.caseNumber,
    appeal: input.appeal,
    outcome: input.outcome,
    note: input.note,
    principal: input.principal,
    now: new Date(input.nowMs),
  })
  if (row === undefined) throw new TypeError('resolve_appeal_v1 answers with one row')
  return row
}
