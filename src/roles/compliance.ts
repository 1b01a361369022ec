// Gathers a compliance report: the entries of the period first, then what only tables know.
//
// Promises: reads only; entries of after the period are looked at for the hours of the period alone, which are counted up
// to a day later.
import type { Database } from '../db/client.ts'
import { ask } from '../db/client.ts'
import { findEntries, parseRead, seqAtTime, timeOf } from '../ledger/find-entries.ts'
import type { Condition } from '../ledger/find-entries.ts'
import { readEntries, readHead } from '../ledger/read-ledger.ts'
import { actionsToLookUp } from '../reports/actions.ts'
import { makeReport } from '../reports/compliance.ts'
import type { ComplianceReport } from '../reports/compliance.ts'
import { casesToLookUp } from '../reports/people.ts'
import { readTables } from '../reports/tables.ts'
import { addEntry, emptyTally } from '../reports/tally.ts'
import type { Period, Tally } from '../reports/tally.ts'
import type { SourceKind } from '../domain/blob.ts'

export const complianceLimits = {
  /** An hour is counted at most a day after its end; a ledger that stood still makes it longer. */
  countsDaysLate: 3,
  countsRead: 10_000,
} as const

const dayMs = 86_400_000
/**
 * Each is counted every hour, also when nothing came from it. So is every later source (`api`), from its first hour on:
 * the report expects those of which it finds any.
 */
const sources: readonly SourceKind[] = ['firehose', 'webhook']

export async function gatherCompliance(
  db: Database,
  input: {
    period: Period
    nowMs: number
    onRead?: (entries: number, of: number) => void
  },
): Promise<ComplianceReport> {
  const { period, nowMs } = input
  const head = await readHead(db)
  const size = head?.size ?? 0
  const tally = await tallyPeriod(db, { ...input, size })
  const [deployment] = await ask(
    'read the name of the deployment',
    db<{ id: string }[]>`select id from deployment`,
  )
  return makeReport(
    tally,
    await readTables(db, {
      period,
      nowMs,
      actions: actionsToLookUp(tally),
      cases: casesToLookUp(tally),
    }),
    {
      deployment: deployment?.id ?? 'not started yet',
      period,
      nowMs,
      sources,
      ledger: {
        log: head?.log ?? 'no log yet',
        size,
        head: head?.hash ?? '',
        beganMs: (await timeOf(db, 0)) ?? null,
      },
    },
  )
}

async function tallyPeriod(
  db: Database,
  input: {
    period: Period
    size: number
    onRead?: (entries: number, of: number) => void
  },
): Promise<Tally> {
  const { period, size } = input
  const tally = emptyTally()
  const from = await seqAtTime(db, period.from, size)
  const to = await seqAtTime(db, period.to, size)
  let read = 0
  for await (const page of readEntries(db, { from, to })) {
    for (const entry of page.map(parseRead)) addEntry(tally, entry, period)
    read += page.length
    input.onRead?.(read, to - from)
  }
  const late = new Date(period.to.getTime() + complianceLimits.countsDaysLate * dayMs)
  const counted = await findEntries(db, {
    range: { from: to, to: await seqAtTime(db, late, size) },
    conditions: [isCounts],
    limit: complianceLimits.countsRead,
    order: 'oldest',
  })
  for (const entry of counted) addEntry(tally, entry, period)
  return tally
}

const isCounts: Condition = {
  needles: ['"type":"counts"'],
  seqs: new Set(),
  test: ({ type }) => type === 'counts',
}
