// The smaller jobs: an announced address whose CID is not known yet, and a pass over stored signals after a bank change.
import type { AnySignalType, Hex } from '../domain/blob.ts'
import type { StoredSignals } from '../domain/stored-signals.ts'
import type { Database } from '../db/client.ts'
import { ask, callStep } from '../db/client.ts'

export const jobLimits = { leaseSeconds: 120, rematchPage: 2000 } as const

export type ClaimedJob = {
  key: Hex
  token: string
  attempts: number
  crashes: number
  detail: { url?: string; after?: Hex } & Change
  created_at: Date
}

/**
 * What a pass is about: one content; or all of one bank or of several (wider, enabled, imported, compared with more
 * blobs, kept from counting by less); or, where a negative bank for all others changed, whatever ever matched.
 */
export type Change = { content?: number; bank?: number; banks?: number[]; all?: boolean }

export async function claimJobs(
  db: Database,
  options: { kind: 'url' | 'rematch'; limit: number; nowMs: number },
): Promise<ClaimedJob[]> {
  return callStep(db, 'claim_jobs_v1', {
    kind: options.kind,
    limit: options.limit,
    now: new Date(options.nowMs),
    leaseSeconds: jobLimits.leaseSeconds,
  })
}

/** Freed for another try at `untilMs`, or gone for good when that is absent. */
export async function endJob(
  db: Database,
  input: { kind: 'url' | 'rematch'; job: ClaimedJob; untilMs?: number; reason?: string },
): Promise<void> {
  await callStep(db, 'end_job_v1', {
    kind: input.kind,
    key: input.job.key,
    token: input.job.token,
    until: input.untilMs === undefined ? null : new Date(input.untilMs),
    reason: input.reason ?? 'again',
  })
}

export async function settleUrl(
  db: Database,
  input: { job: ClaimedJob; cid: Hex; nowMs: number },
): Promise<void> {
  await callStep(db, 'settle_url_v1', {
    key: input.job.key,
    token: input.job.token,
    cid: input.cid,
    now: new Date(input.nowMs),
  })
}

export type RematchRow = StoredSignals & { cid: Hex }

/** `matchedOnly`: only blobs that ever matched something. */
export async function rematchPage(
  db: Database,
  options: { generation: number; after: Hex | undefined; matchedOnly: boolean },
): Promise<RematchRow[]> {
  return callStep<RematchRow[]>(db, 'rematch_page_v3', {
    generation: options.generation,
    after: options.after ?? '',
    matchedOnly: options.matchedOnly,
    limit: jobLimits.rematchPage,
  })
}

export type ContentSignal = { type: AnySignalType; value: Hex }

/** The live signals of one content; at most `limit`. */
export async function contentSignals(
  db: Database,
  content: number,
  limit: number,
): Promise<ContentSignal[]> {
  return ask(
    'read the signals of the content',
    db<ContentSignal[]>`
      select type, encode(value, 'hex') as value from bank_signal
      where content = ${content} and state = 'live' order by id limit ${limit}`,
  )
}

/** By bank signal: what counts now because of the change, and what is kept from counting now. */
export type RematchFound = { cid: Hex; signals: number[]; setAside: number[] }

/** Raises a job for each blob where something counts that did not before, or ceased to. */
export async function rematchAdvance(
  db: Database,
  input: {
    job: ClaimedJob
    generation: number
    matched: RematchFound[]
    after: Hex | undefined
    done: boolean
    nowMs: number
  },
): Promise<'more' | 'done' | 'lost'> {
  const [row] = await callStep<{ result: 'more' | 'done' | 'lost' }[]>(db, 'rematch_advance_v1', {
    token: input.job.token,
    generation: input.generation,
    matched: input.matched,
    after: input.after ?? '',
    done: input.done,
    leaseSeconds: jobLimits.leaseSeconds,
    now: new Date(input.nowMs),
  })
  return row?.result ?? 'lost'
}
