// The smaller jobs: an announced address whose CID is not known yet, and a pass over stored signals after a bank change.
import type { Hex, Signals } from '../domain/blob.ts'
import type { Database } from '../db/client.ts'
import { callStep } from '../db/client.ts'

export const jobLimits = { leaseSeconds: 120, rematchPage: 2000 } as const

export type ClaimedJob = {
  key: Hex
  token: string
  attempts: number
  crashes: number
  detail: { url?: string; content?: number; bank?: number; after?: Hex }
  created_at: Date
}

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

export type RematchRow = { cid: Hex; signals: Signals }

export async function rematchPage(
  db: Database,
  options: { generation: number; after: Hex | undefined },
): Promise<RematchRow[]> {
  const rows = await callStep<
    { cid: Hex; pdq: Hex | null; quality: number | null; md5: Hex | null; sha1: Hex | null }[]
  >(db, 'rematch_page_v1', {
    generation: options.generation,
    after: options.after ?? '',
    limit: jobLimits.rematchPage,
  })
  return rows.map((row) => ({
    cid: row.cid,
    signals: {
      sha256: row.cid,
      ...(row.md5 !== null && { md5: row.md5 }),
      ...(row.sha1 !== null && { sha1: row.sha1 }),
      ...(row.pdq !== null && { pdq: { hash: row.pdq, quality: row.quality ?? 0 } }),
    },
  }))
}

export async function rematchAdvance(
  db: Database,
  input: {
    job: ClaimedJob
    generation: number
    matched: { cid: Hex; signals: number[] }[]
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
