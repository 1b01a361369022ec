// What people do: decide a case, stop actions and let them go on. Each is one statement with its ledger intake.
import type { Database } from '../db/client.ts'
import { ask, callStep } from '../db/client.ts'
import { crashPoint } from '../telemetry/crash-point.ts'

export type CaseVerb = 'confirm' | 'release' | 'overturn' | 'note'

/** The id of a person or service, made on its first appearance. */
export async function principalId(
  db: Database,
  who: { kind: 'person' | 'service' | 'system'; name: string; nowMs: number },
): Promise<number> {
  const [row] = await ask(
    'name who asks',
    db<
      { id: number }[]
    >`select principal_v1(${who.kind}, ${who.name}, ${new Date(who.nowMs)}) as id`,
  )
  if (row === undefined) throw new TypeError('principal_v1 answers with one row')
  return row.id
}

export type Decided = {
  state: string
  /** Let go, or taken back. */
  actions: number
  subjects: number
  /** Rows of feedback: one for each picture and each content that counted for it. */
  feedback: number
  /** Actions that go on although this case let them go, because other cases want them. */
  stays: number
  /** Those cases. */
  wantedBy: number[]
  /** Contents that were moved (as they are now) or disabled. */
  changed: number[]
}

/** What shall happen with the contents behind a case; absent `contents`: all of them (move), or the only one (disable). */
export type ContentChange = { contents?: number[] } & (
  | { moveTo: string }
  /** HMA's: 0 for good, else a unix second. */
  | { disableUntilTs: number }
)

/**
 * A person's word: it decides, is kept as feedback about each content, and changes contents only where it says so.
 * Throws UsageError, and does nothing, when the case does not exist, is in a state that does not allow the verb, or a
 * content cannot be changed so.
 */
export async function decideCase(
  db: Database,
  input: {
    caseNumber: number
    verb: CaseVerb
    principal: number
    note?: string
    /** To move with confirm, to disable with release and overturn. */
    change?: ContentChange
    nowMs: number
  },
): Promise<Decided> {
  crashPoint('withdraw:before')
  const [row] = await callStep<Decided[]>(db, 'decide_case_v2', {
    now: new Date(input.nowMs),
    case: input.caseNumber,
    verb: input.verb,
    principal: input.principal,
    note: input.note,
    ...input.change,
  })
  crashPoint('withdraw:after')
  if (row === undefined) throw new TypeError('decide_case_v2 answers with one row')
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
