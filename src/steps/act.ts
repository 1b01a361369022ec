// Steps claim_action and finish: an action that the ledger released is leased, sent, and its result recorded.
//
// Promises: one action in flight a subject; a pause stops it here; the result and its ledger intake are one statement.
// A crash between the two leaves the action `sending`; its lease runs out and the next worker asks the other side first.
import type { ActionKind } from '../domain/bank.ts'
import type { SourceKind } from '../domain/blob.ts'
import type { SendOutcome, SignedLabel } from '../domain/ports.ts'
import type { Database } from '../db/client.ts'
import { callStep } from '../db/client.ts'
import { crashPoint } from '../telemetry/crash-point.ts'

export const actLimits = {
  /** Longer than any send may take, so that a lease never runs out under a living worker. */
  leaseSeconds: 60,
  /** After this an action that never succeeded is dead and waits for a person. */
  ageSecondsMax: 72 * 3600,
  retrySecondsMin: 1,
  retrySecondsMax: 15 * 60,
} as const

export type ClaimedAction = {
  action: number
  token: string
  kind: ActionKind
  applied: boolean
  attempts: number
  /** What we write into the other side's `ref`; the same for every revision of a subject. */
  ref: string
  /** Of a label: its value; of a negation also the record version that the label named. */
  detail: { val?: string; cid?: string } | null
  account: number
  did: string | null
  /** sha2-256 digest, hex, of the blob that caused it. */
  blob_cid: string
  collection: string | null
  rkey: string | null
  record_cid: string | null
  source: SourceKind
}

export async function claimAction(
  db: Database,
  options: { kinds: ActionKind[]; nowMs: number },
): Promise<ClaimedAction | undefined> {
  const [claimed] = await callStep<ClaimedAction[]>(db, 'claim_action_v1', {
    now: new Date(options.nowMs),
    kinds: options.kinds,
    leaseSeconds: actLimits.leaseSeconds,
    ageSecondsMax: actLimits.ageSecondsMax,
  })
  return claimed
}

/** `lost`: the lease ran out and another worker has it; its finish counts. */
export async function finish(
  db: Database,
  input: {
    claimed: ClaimedAction
    outcome: SendOutcome
    label?: SignedLabel & { keyDid: string }
    nowMs: number
    /** 0 to 1; spreads the retries of many actions that failed together. */
    random: number
  },
): Promise<'done' | 'refused' | 'retry' | 'lost'> {
  const { claimed, outcome, label } = input
  crashPoint('finish:before')
  const [row] = await callStep<{ result: 'done' | 'refused' | 'retry' | 'lost' }[]>(
    db,
    'finish_v1',
    {
      now: new Date(input.nowMs),
      action: claimed.action,
      token: claimed.token,
      outcome: outcome.kind,
      reason: outcome.kind === 'done' ? null : outcome.reason.slice(0, 500),
      ...(outcome.kind === 'done' && { detail: outcome.detail }),
      ...(outcome.kind === 'retry' && {
        nextAt: new Date(
          input.nowMs + retryDelayMs(claimed.attempts, input.random, outcome.afterMs),
        ),
      }),
      ...(label && {
        label: {
          src: label.src,
          uri: label.uri,
          cid: label.cid,
          val: label.val,
          neg: label.neg,
          cts: label.cts,
          sig: label.sigHex,
          keyDid: label.keyDid,
        },
      }),
    },
  )
  crashPoint('finish:after')
  if (row === undefined) throw new TypeError('finish_v1 answers with one row')
  return row.result
}

/** Exponential with full jitter, never below what the other side asked for. */
export function retryDelayMs(attempts: number, random: number, askedMs = 0): number {
  const ceiling = Math.min(
    actLimits.retrySecondsMax,
    actLimits.retrySecondsMin * 2 ** Math.min(attempts, 20),
  )
  return Math.max(
    askedMs,
    1000 * (actLimits.retrySecondsMin + random * (ceiling - actLimits.retrySecondsMin)),
  )
}
