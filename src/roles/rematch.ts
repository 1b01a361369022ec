// A pass over stored signals after a bank change: what did not count then may count now, and the other way round.
//
// Promises: it starts only when the index of this process includes the change, and is over when no stored blob is left
// that was matched before it. A crash repeats at most one page.
import type { Bank, Match } from '../domain/bank.ts'
import { gate, isNegative } from '../domain/gate.ts'
import type { Matcher } from '../domain/ports.ts'
import { signalsOf } from '../domain/stored-signals.ts'
import type { Database } from '../db/client.ts'
import {
  claimJobs,
  contentSignals,
  endJob,
  jobLimits,
  rematchAdvance,
  rematchPage,
} from '../steps/jobs.ts'
import type { Change, ClaimedJob, RematchFound, RematchRow } from '../steps/jobs.ts'
import { createNearContent } from './near-content.ts'
import type { NearContent } from './near-content.ts'

export type RematchOptions = {
  db: Database
  matcher: Matcher
  banks: () => ReadonlyMap<number, Bank>
  clock: () => number
  onRaised: () => void
}

/** A content of more signals than this is looked for by the index. */
const ownSignalsMax = 64

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
  const matchedOnly = changesGatesOnly(job.detail, options.banks())
  const near = await nearContent(job.detail, options)
  let after = job.detail.after
  while (!signal.aborted) {
    const rows = await rematchPage(db, { generation, after, matchedOnly })
    const matched: RematchFound[] = []
    for (const row of rows) {
      if (!near(row)) continue
      const found = await gatedOf(row, job.detail, options)
      if (found.signals.length + found.setAside.length > 0) matched.push(found)
    }
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

/** A negative bank finds nothing itself: only what matched another bank can be touched by a change of it. */
function changesGatesOnly(change: Change, banks: ReadonlyMap<number, Bank>): boolean {
  if (change.all === true) return true
  const bank = change.bank === undefined ? undefined : banks.get(change.bank)
  return bank !== undefined && isNegative(bank)
}

/** Picks the rows that are worth a look by the index: for one content those that come near it, else all. */
async function nearContent(
  { content, bank }: Change,
  options: RematchOptions,
): Promise<NearContent> {
  const everything: NearContent = () => true
  const policy = bank === undefined ? undefined : options.banks().get(bank)?.policy
  if (content === undefined || policy === undefined) return everything
  const signals = await contentSignals(options.db, content, ownSignalsMax + 1)
  if (signals.length > ownSignalsMax) return everything
  return createNearContent(signals, policy)
}

async function gatedOf(
  row: RematchRow,
  change: Change,
  { matcher, banks }: RematchOptions,
): Promise<RematchFound> {
  const { matches } = await matcher.match(signalsOf(row.cid, row))
  const { counted, setAside } = gate(matches, banks(), row.cid)
  const ids = (some: readonly Match[]) => some.map((match) => match.signalId)
  const signals = ids(counted.filter((match) => isAbout(match, change)))
  return { cid: row.cid, signals, setAside: ids(setAside) }
}

/** What another change lets match is found by that one's own pass. */
function isAbout(match: Match, { content, bank, banks, all }: Change): boolean {
  if (all === true) return true
  if (content !== undefined) return match.contentId === content
  return match.bankId === bank || banks?.includes(match.bankId) === true
}
