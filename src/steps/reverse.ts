// Step reverse: takes back what a content, a bank, a person, a key or a time range caused, in batches.
//
// Promises: an action that another live content wants stays as it is; what somebody else took down stays theirs (the send
// asks); nothing reversed counts as released by a person. A batch, its position and its ledger intake are one statement:
// what is killed between two goes on after the first.
import { setTimeout as sleep } from 'node:timers/promises'
import type { ActionKind } from '../domain/bank.ts'
import { RetryableError } from '../domain/errors.ts'
import type { Database } from '../db/client.ts'
import { callStep } from '../db/client.ts'
import { crashPoint } from '../telemetry/crash-point.ts'

export const reverseLimits = {
  actionsPerBatch: 500,
  actionsPerPreviewPage: 500,
  /** Each is a change of a bank, which scans wait for. */
  contentsPerStatement: 100,
  triesPerStatement: 5,
  retryMs: 200,
} as const

/** What was chosen: at most one of content, bank and principal; none of them: all that was released in the time. */
export type ReversalScope = {
  content?: number
  bank?: number
  principal?: number
  /** The key that stands for the principal; only what was added while it was valid counts. */
  key?: string
  addedSince?: Date
  addedUntil?: Date
  /** Of the release; what waits counts by when it was planned. */
  since?: Date
  until?: Date
  /** As it was asked for: the same words find an open run again, although `2d` means another moment by then. */
  as: Record<string, string | number>
}

/** What becomes of an action: stop (nothing was sent), reverse (something may have been), or why nothing is done. */
export const reversalFates = [
  'stop',
  'reverse',
  'other-cause',
  'not-ours',
  'nothing-to-undo',
] as const
export type ReversalFate = (typeof reversalFates)[number]
export type ReversalOutcome =
  'stopped' | 'reversing' | 'other-cause' | 'not-ours' | 'nothing-to-undo'

export type ReversalPreview = {
  /** By kind of action; a kind without actions is absent. */
  kinds: Partial<Record<ActionKind, Record<ReversalFate, number>>>
  /** To stop or to reverse. */
  actions: number
  /** Requests and labels that leave: no cap keeps them. */
  sends: number
  /** Whose things these are. */
  accounts: number
  /** Bank id -> actions that stay as they are because of it. */
  keptBy: Map<number, number>
}

/** fate null: a later revision of the same thing stands for it. */
type PreviewRow =
  | { action: number; fate: null }
  | {
      action: number
      fate: ReversalFate
      kind: ActionKind
      account: number
      banks: number[] | null
    }

/** Reads only. Throws RetryableError when stopped. */
export async function previewReversal(
  db: Database,
  input: {
    scope: ReversalScope
    nowMs: number
    page?: number
    signal?: AbortSignal
    onLooked?: (actions: number) => void
  },
): Promise<ReversalPreview> {
  const preview: ReversalPreview = {
    kinds: {},
    actions: 0,
    sends: 0,
    accounts: 0,
    keptBy: new Map(),
  }
  const now = new Date(input.nowMs)
  const limit = input.page ?? reverseLimits.actionsPerPreviewPage
  const accounts = new Set<number>()
  let after = 0
  let looked = 0
  for (;;) {
    if (input.signal?.aborted === true) throw new RetryableError('the preview was stopped')
    const rows = await callStep<PreviewRow[]>(db, 'reversal_preview_v1', {
      scope: input.scope,
      after,
      limit,
      now,
    })
    for (const row of rows) count(preview, accounts, row)
    looked += rows.length
    input.onLooked?.(looked)
    const last = rows.at(-1)
    if (last === undefined || rows.length < limit) break
    after = last.action
  }
  preview.accounts = accounts.size
  return preview
}

function count(preview: ReversalPreview, accounts: Set<number>, row: PreviewRow): void {
  if (row.fate === null) return
  const fates = (preview.kinds[row.kind] ??= noFates())
  fates[row.fate] += 1
  if (row.fate === 'stop' || row.fate === 'reverse') {
    preview.actions += 1
    accounts.add(row.account)
  }
  if (row.fate === 'reverse') preview.sends += 1
  for (const bank of row.banks ?? []) preview.keptBy.set(bank, (preview.keptBy.get(bank) ?? 0) + 1)
}

function noFates(): Record<ReversalFate, number> {
  return { stop: 0, reverse: 0, 'other-cause': 0, 'not-ours': 0, 'nothing-to-undo': 0 }
}

/**
 * `resumed`: a run that was asked for in the same words is still open, and is the one. `reopened`: cases that only the
 * scope's principal had confirmed; a person decides them anew. Idempotent as long as the run is open.
 */
export async function startReversal(
  db: Database,
  input: {
    scope: ReversalScope
    reason?: string
    /** The chosen contents are disabled first. */
    disables: boolean
    /** What the preview said, for the ledger. */
    preview: ReversalPreview
    principal: number
    nowMs: number
  },
): Promise<{ reversal: number; resumed: boolean; reopened: number }> {
  const { preview } = input
  crashPoint('withdraw:before')
  const [row] = await callStep<{ reversal: number; resumed: boolean; reopened: number }[]>(
    db,
    'start_reversal_v1',
    {
      now: new Date(input.nowMs),
      scope: input.scope,
      reason: input.reason,
      disables: input.disables,
      counts: { actions: preview.actions, sends: preview.sends, accounts: preview.accounts },
      principal: input.principal,
    },
  )
  crashPoint('withdraw:after')
  if (row === undefined) throw new TypeError('start_reversal_v1 answers with one row')
  return row
}

export type ReversalRun = {
  disabled: number
  /** Of this run of the command; what a killed one did is in the reversal. */
  outcomes: Record<ReversalOutcome, number>
  /** false: stopped by the signal; the same reversal goes on from there. */
  ended: boolean
}

/** Runs a started reversal to its end, from wherever it is. */
export async function runReversal(
  db: Database,
  input: {
    reversal: number
    disables: boolean
    principal: number
    clock: () => number
    batch?: number
    signal?: AbortSignal
    onBatch?: (run: ReversalRun) => void
  },
): Promise<ReversalRun> {
  const run: ReversalRun = { disabled: 0, outcomes: noOutcomes(), ended: false }
  const step = <T>(name: string, limit: number) =>
    again(async () => {
      crashPoint('withdraw:before')
      const rows = await callStep<T[]>(db, name, {
        now: new Date(input.clock()),
        reversal: input.reversal,
        principal: input.principal,
        limit,
      })
      crashPoint('withdraw:after')
      const [row] = rows
      if (row === undefined) throw new TypeError(`${name} answers with one row`)
      return row
    })
  let disabling = input.disables
  while (!run.ended && input.signal?.aborted !== true) {
    if (disabling) {
      const limit = reverseLimits.contentsPerStatement
      const { disabled } = await step<{ disabled: number }>('disable_chosen_v1', limit)
      run.disabled += disabled
      disabling = disabled === limit
    } else {
      const limit = input.batch ?? reverseLimits.actionsPerBatch
      const batch = await step<BatchRow>('reverse_batch_v1', limit)
      for (const outcome of reversalOutcomes) run.outcomes[outcome] += batch.outcomes[outcome] ?? 0
      run.ended = batch.ended
    }
    input.onBatch?.(run)
  }
  return run
}

type BatchRow = {
  looked: number
  outcomes: Partial<Record<ReversalOutcome, number>>
  ended: boolean
}

export const reversalOutcomes = [
  'stopped',
  'reversing',
  'other-cause',
  'not-ours',
  'nothing-to-undo',
] as const satisfies ReversalOutcome[]

function noOutcomes(): Record<ReversalOutcome, number> {
  return { stopped: 0, reversing: 0, 'other-cause': 0, 'not-ours': 0, 'nothing-to-undo': 0 }
}

/** A statement that met a running service may lose a deadlock; repeating one that did happen does the next part. */
async function again<T>(work: () => Promise<T>): Promise<T> {
  for (let tried = 1; ; tried += 1) {
    try {
      return await work()
    } catch (error) {
      if (!(error instanceof RetryableError) || tried >= reverseLimits.triesPerStatement)
        throw error
      await sleep(reverseLimits.retryMs * tried)
    }
  }
}
