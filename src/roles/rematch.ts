// A pass over stored signals after a bank change that may find more: what matched nothing then may match now.
//
// Promises: it starts only when the index of this process includes the change, and is over when no stored blob is left
// that was matched before it. A crash repeats at most one page.
import type { Match } from '../domain/bank.ts'
import type { Matcher } from '../domain/ports.ts'
import type { Database } from '../db/client.ts'
import { claimJobs, endJob, jobLimits, rematchAdvance, rematchPage } from '../steps/jobs.ts'
import type { ClaimedJob } from '../steps/jobs.ts'

export type RematchOptions = {
  db: Database
  matcher: Matcher
  clock: () => number
  onRaised: () => void
}

export async function claimRematch(options: RematchOptions): Promise<ClaimedJob[]> {
  return claimJobs(options.db, { kind: 'rematch', limit: 1, nowMs: options.clock() })
}

export async function runRematch(
  job: ClaimedJob,
  options: RematchOptions,
  signal: AbortSignal,
): Promise<void> {
  const { db, matcher, clock } = options
  const generation = Number(BigInt(`0x${job.key}`))
  if (matcher.generation() < generation) {
    await endJob(db, { kind: 'rematch', job, untilMs: clock() + 250, reason: 'index-behind' })
    return
  }
  let after = job.detail.after
  while (!signal.aborted) {
    const rows = await rematchPage(db, { generation, after })
    const matched = rows
      .filter((row) => matcher.match(row.signals).matches.some((match) => isOfChange(match, job)))
      .map((row) => row.cid)
    after = rows.at(-1)?.cid ?? after
    const done = rows.length < jobLimits.rematchPage
    const result = await rematchAdvance(db, {
      job,
      generation,
      matched,
      after,
      done,
      nowMs: clock(),
    })
    if (matched.length > 0) options.onRaised()
    if (result !== 'more') return
  }
  await endJob(db, { kind: 'rematch', job, untilMs: clock(), reason: 'stopped' })
}

/** One content was added or enabled, or a whole bank was widened. */
function isOfChange(match: Match, { detail }: ClaimedJob): boolean {
  return detail.content === undefined
    ? match.bankId === detail.bank
    : match.contentId === detail.content
}
