// The compliance report as a value: what the ledger says of a period, and what only tables know. Version 1 of its shape is
// described in docs/compliance.md.
//
// Promises: pure; the same entries and the same tables give the same report. Nobody is named: principals are `p3`, banks
// `b7` with their name only where the bank is open and not confidential.
import type { ActionSum } from './actions.ts'
import { sumActions } from './actions.ts'
import type { Change, TypeGroup } from './changes.ts'
import { groupTypes } from './changes.ts'
import { sumCounts } from './counts.ts'
import type { Completeness } from './counts.ts'
import type { Appeals, CaseLookup, People } from './people.ts'
import { sumAppeals, sumPeople } from './people.ts'
import type { Spread } from './quantile.ts'
import type { Decision, Intent, Period, Tally } from './tally.ts'

export const changesToldMax = 500

export type BankFact = { bank: string; class: string; name: string | null }
export type Checkpoint = { size: number; origin: string; at: Date; witnesses: number }
export type ListFact = {
  bank: string
  /** null: the list of a restricted or confidential bank is not named; an exchange has none but its bank's. */
  source: string | null
  /** Of an exchange: the last fetch without a failure. */
  lastImport: Date | null
  ageSeconds: number | null
  /** An import that is on its way, or waits for a second person; an exchange that is held. */
  waiting: boolean
}

/** What is read from tables, because no entry says it: as it is when the report is made, or of the period. */
export type Tables = {
  banks: BankFact[]
  earlierIntents: ReadonlyMap<number, Intent>
  earlierCases: CaseLookup
  timeliness: { from: string; to: string; group: string; spread: Spread }[]
  openIntents: { kind: string; state: string; actions: number; oldest: Date }[]
  heldNow: { reason: string; actions: number; oldest: Date }[]
  openCases: { cases: number; oldest: Date | null }
  openAppeals: number
  gaps: {
    opened: number
    closed: number
    openNow: { source: string; reason: string; gaps: number; since: Date }[]
  }
  lists: ListFact[]
  checkpoint: Checkpoint | null
}

export type ComplianceReport = {
  report: 'blobwatch-compliance'
  version: 1
  deployment: string
  log: string
  period: { from: Date; to: Date; over: boolean }
  generatedAt: Date
  ledger: {
    size: number
    head: string
    entries: number
    firstSeq: number | null
    lastSeq: number | null
    began: Date | null
    checkpoint: Checkpoint | null
  }
  holds: boolean
  completeness: Completeness
  gaps: Tables['gaps']
  matches: {
    byBank: (BankFact & { decisions: number })[]
    byType: { type: string; decisions: number }[]
  }
  decisions: Pick<Decision, 'outcome' | 'reason' | 'count'>[]
  actions: ActionSum[]
  people: Omit<People, 'errorRateByBank'> & {
    errorRateByBank: (BankFact & People['errorRateByBank'][number])[]
  }
  heldNow: Tables['heldNow']
  openCases: Tables['openCases']
  timeliness: Tables['timeliness']
  reporting: 'no reporting programme is configured'
  appeals: Appeals & { openNow: number }
  openIntents: Tables['openIntents']
  lists: {
    freshness: ListFact[]
    imported: (BankFact & { added: number; removed: number })[]
  }
  changes: { counts: TypeGroup[]; told: (Change & BankName)[]; notTold: number }
}
type BankName = { bankName: string | null }

export function makeReport(
  tally: Tally,
  tables: Tables,
  input: {
    deployment: string
    period: Period
    nowMs: number
    sources: readonly string[]
    ledger: { log: string; size: number; head: string; beganMs: number | null }
  },
): ComplianceReport {
  const { period, nowMs, ledger } = input
  const completeness = sumCounts(tally.hours, {
    period,
    nowMs,
    beganMs: ledger.beganMs ?? nowMs,
    sources: input.sources,
  })
  const banks = new Map(tables.banks.map((bank) => [bank.bank, bank]))
  const factOf = (bank: string): BankFact =>
    banks.get(bank) ?? { bank, class: 'unknown', name: null }
  const people = sumPeople(tally, tables.earlierCases)
  const decisions = [...tally.decisions.values()]
  return {
    report: 'blobwatch-compliance',
    version: 1,
    deployment: input.deployment,
    log: ledger.log,
    period: { ...period, over: period.to.getTime() <= nowMs },
    generatedAt: new Date(nowMs),
    ledger: {
      size: ledger.size,
      head: ledger.head,
      entries: tally.entries,
      firstSeq: tally.seqs?.first ?? null,
      lastSeq: tally.seqs?.last ?? null,
      began: ledger.beganMs === null ? null : new Date(ledger.beganMs),
      checkpoint: tables.checkpoint,
    },
    holds: completeness.faults.length === 0,
    completeness,
    gaps: tables.gaps,
    matches: {
      byBank: summed(decisions, (one) => one.bank).map(([bank, count]) => ({
        ...factOf(bank),
        decisions: count,
      })),
      byType: summed(decisions, (one) => one.type).map(([type, count]) => ({
        type,
        decisions: count,
      })),
    },
    decisions: summed(decisions, (one) => `${one.outcome} ${one.reason}`).map(([key, count]) => {
      const [outcome = '', reason = ''] = key.split(' ')
      return { outcome, reason, count }
    }),
    actions: sumActions(tally, tables.earlierIntents),
    people: {
      ...people,
      errorRateByBank: people.errorRateByBank.map((rate) => ({ ...factOf(rate.bank), ...rate })),
    },
    heldNow: tables.heldNow,
    openCases: tables.openCases,
    timeliness: tables.timeliness,
    reporting: 'no reporting programme is configured',
    appeals: { ...sumAppeals(tally.appeals), openNow: tables.openAppeals },
    openIntents: tables.openIntents,
    lists: { freshness: tables.lists, imported: importedOf(tally, factOf) },
    changes: {
      counts: groupTypes(tally.types),
      told: tally.changes.slice(0, changesToldMax).map((change) => ({
        ...change,
        bankName: change.bank === null ? null : factOf(change.bank).name,
      })),
      notTold: Math.max(0, tally.changes.length - changesToldMax),
    },
  }
}

function importedOf(tally: Tally, factOf: (bank: string) => BankFact) {
  const sums = new Map<string, { added: number; removed: number }>()
  for (const { bank, added, removed } of tally.imports) {
    const before = sums.get(bank) ?? { added: 0, removed: 0 }
    sums.set(bank, { added: before.added + added, removed: before.removed + removed })
  }
  return [...sums].map(([bank, sum]) => ({ ...factOf(bank), ...sum }))
}

/** Largest first. */
function summed(rows: readonly Decision[], key: (row: Decision) => string): [string, number][] {
  const counts = new Map<string, number>()
  for (const row of rows) counts.set(key(row), (counts.get(key(row)) ?? 0) + row.count)
  return [...counts].toSorted(([a, n], [b, m]) => m - n || (a < b ? -1 : 1))
}
