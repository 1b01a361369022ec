// A pass over stored signals after a bank change that may find more: what matched nothing then may match now.
//
// Promises: it starts only when the index of this process includes the change, and is over when no stored blob is left
// that was matched before it. A crash repeats at most one page.
import type { Signals } from '../domain/blob.ts'
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
      .map((row) => ({ cid: row.cid, signals: signalsOf(row.signals, job, matcher) }))
      .filter(({ signals }) => signals.length > 0)
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

/** The bank signals that match because of this change: of one content, or of a bank that was widened. */
function signalsOf(signals: Signals, { detail }: ClaimedJob, matcher: Matcher): number[] {
  return matcher
    .match(signals)
    .matches.filter((match) =>
      detail.content === undefined
        ? match.bankId === detail.bank
        : match.contentId === detail.content,
    )
    .map((match) => match.signalId)
}
