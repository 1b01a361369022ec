// What people do: decide a case, stop actions and let them go on. Each is one statement with its ledger intake.
import type { Database } from '../db/client.ts'
import { callStep } from '../db/client.ts'
import { crashPoint } from '../telemetry/crash-point.ts'

export type CaseVerb = 'confirm' | 'release' | 'overturn' | 'note'

/** The id of a person or service, made on its first appearance. */
export async function principalId(
  db: Database,
  who: { kind: 'person' | 'service' | 'system'; name: string; nowMs: number },
): Promise<number> {
  const [row] = await db<{ id: number }[]>`
    select principal_v1(${who.kind}, ${who.name}, ${new Date(who.nowMs)}) as id`
  if (row === undefined) throw new TypeError('principal_v1 answers with one row')
  return row.id
}

/** Throws UsageError when the case does not exist or is in a state that does not allow the verb. */
export async function decideCase(
  db: Database,
  input: { caseNumber: number; verb: CaseVerb; principal: number; note?: string; nowMs: number },
): Promise<{ state: string; actions: number; subjects: number }> {
  crashPoint('withdraw:before')
  const [row] = await callStep<{ state: string; actions: number; subjects: number }[]>(
    db,
    'decide_case_v1',
    {
      now: new Date(input.nowMs),
      case: input.caseNumber,
      verb: input.verb,
      principal: input.principal,
      note: input.note,
    },
  )
  crashPoint('withdraw:after')
  if (row === undefined) throw new TypeError('decide_case_v1 answers with one row')
  return row
}

/** A dead or refused action, tried again by a person: a new revision. Throws UsageError when it is neither. */
export async function retryAction(
  db: Database,
  input: { action: number; principal: number; nowMs: number },
): Promise<number> {
  const [row] = await callStep<{ action: number }[]>(db, 'retry_action_v1', {
    now: new Date(input.nowMs),
    action: input.action,
    principal: input.principal,
  })
  if (row === undefined) throw new TypeError('retry_action_v1 answers with one row')
  return row.action
}

export type PauseScope =
  { scope: 'all' } | { scope: 'bank'; bank: number } | { scope: 'kind'; kind: string }

/** false: it was so already. In force for every process from the moment this returns. */
export async function setPaused(
  db: Database,
  input: PauseScope & { on: boolean; reason?: string; principal: number; nowMs: number },
): Promise<boolean> {
  const target =
    input.scope === 'bank' ? String(input.bank) : input.scope === 'kind' ? input.kind : undefined
  const [row] = await callStep<{ changed: boolean }[]>(db, 'pause_v1', {
    now: new Date(input.nowMs),
    on: input.on,
    scope: input.scope,
    target,
    reason: input.reason ?? (input.on ? 'no reason given' : undefined),
    principal: input.principal,
  })
  return row?.changed ?? false
}
