// Bytes announced by address alone: fetched once to learn their CID, which makes them a sighting like any other.
import { createHash } from 'node:crypto'
import type { BlobFetcher } from '../domain/ports.ts'
import type { Database } from '../db/client.ts'
import { claimJobs, endJob, settleUrl } from '../steps/jobs.ts'
import type { ClaimedJob } from '../steps/jobs.ts'

export const announcedUrlLimits = { tries: 8, retryMs: 5_000, ageMsMax: 24 * 3600 * 1000 } as const

export type AnnouncedUrlOptions = {
  db: Database
  fetcher: BlobFetcher
  clock: () => number
  onSettled: () => void
  /** The address gave nothing in the end: there is no blob to call unscannable, so it is told here. */
  onGivenUp: (reason: string) => void
}

export async function claimUrls(
  options: AnnouncedUrlOptions,
  limit: number,
): Promise<ClaimedJob[]> {
  return claimJobs(options.db, { kind: 'url', limit, nowMs: options.clock() })
}

export async function resolveUrl(
  job: ClaimedJob,
  options: AnnouncedUrlOptions,
  signal: AbortSignal,
): Promise<void> {
  const { db, clock } = options
  const outcome = await options.fetcher.fetchUrl({ url: job.detail.url ?? '', signal })
  if (outcome.kind === 'bytes') {
    const cid = createHash('sha256').update(outcome.bytes).digest('hex')
    await settleUrl(db, { job, cid, nowMs: clock() })
    options.onSettled()
    return
  }
  const isOver =
    outcome.kind === 'unavailable' ||
    job.attempts >= announcedUrlLimits.tries ||
    clock() - job.created_at.getTime() > announcedUrlLimits.ageMsMax
  if (isOver) {
    await endJob(db, { kind: 'url', job })
    options.onGivenUp(outcome.reason)
  } else {
    const untilMs = clock() + announcedUrlLimits.retryMs * 2 ** job.attempts
    await endJob(db, { kind: 'url', job, untilMs, reason: outcome.reason })
  }
}
