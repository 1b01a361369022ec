// What ledger entries of a period say, gathered without a database: an auditor with an exported ledger gets the same.
//
// Promises: a period cut into parts and merged again gives the tally of the whole, in whatever order the parts come.
// An entry belongs to the period in which it was written; a `counts` entry to that of the hour it counts.
import { countsOf } from './counts.ts'
import type { HourCounts } from './counts.ts'
import { changeOf } from './changes.ts'
import type { Change } from './changes.ts'

export type ReportEntry = {
  seq: number
  t: string
  type: string
  actor: { kind?: string; principal?: number }
  pub: Record<string, unknown>
}

export type Period = { from: Date; to: Date }

export type Intent = { kind: string; applied: boolean; byPerson: boolean }
export type Verb = {
  seq: number
  atMs: number
  caseNumber: number
  verb: string
  before: string
  principal: number | null
}
export type Appeal = {
  seq: number
  atMs: number
  appeal: number
  event: string
  receivedMs: number
}
export type Decision = {
  bank: string
  type: string
  outcome: string
  reason: string
  count: number
}

export type Tally = {
  entries: number
  seqs: { first: number; last: number } | null
  types: Map<string, number>
  hours: HourCounts[]
  /** By bank, signal type, outcome and reason. */
  decisions: Map<string, Decision>
  /** By action. */
  intents: Map<number, Intent>
  results: { seq: number; action: number; outcome: string }[]
  /** When a case was opened, or opened again. */
  openings: { caseNumber: number; atMs: number }[]
  verbs: Verb[]
  merged: Map<number, number>
  /** Case -> `bank type` of its decisions. */
  signals: Map<number, Set<string>>
  appeals: Appeal[]
  imports: { bank: string; added: number; removed: number }[]
  changes: Change[]
}

export function emptyTally(): Tally {
  return {
    entries: 0,
    seqs: null,
    types: new Map(),
    hours: [],
    decisions: new Map(),
    intents: new Map(),
    results: [],
    openings: [],
    verbs: [],
    merged: new Map(),
    signals: new Map(),
    appeals: [],
    imports: [],
    changes: [],
  }
}

/** Adds an entry, if it belongs to the period. */
export function addEntry(tally: Tally, entry: ReportEntry, period: Period): void {
  if (entry.type === 'counts') {
    const counts = countsOf(entry)
    if (isWithin(counts.fromMs, period)) tally.hours.push(counts)
  }
  const atMs = Date.parse(entry.t)
  if (!isWithin(atMs, period)) return
  tally.entries += 1
  tally.seqs = {
    first: Math.min(tally.seqs?.first ?? entry.seq, entry.seq),
    last: Math.max(tally.seqs?.last ?? entry.seq, entry.seq),
  }
  increase(tally.types, entry.type, 1)
  const change = changeOf(entry)
  if (change !== undefined) tally.changes.push(change)
  addFacts(tally, entry, atMs)
}

function addFacts(tally: Tally, entry: ReportEntry, atMs: number): void {
  const { seq, type, pub } = entry
  switch (type) {
    case 'decision':
      return addDecision(tally, pub)
    case 'action.intent':
      tally.intents.set(whole(pub['action']), {
        kind: text(pub['kind']),
        applied: pub['applied'] === true,
        byPerson: pub['byPerson'] === true,
      })
      return
    case 'action.result':
      tally.results.push({ seq, action: whole(pub['action']), outcome: text(pub['outcome']) })
      return
    case 'case.opened':
      if (pub['state'] === 'open') tally.openings.push({ caseNumber: whole(pub['case']), atMs })
      return
    case 'case.reopened':
      tally.openings.push({ caseNumber: whole(pub['case']), atMs })
      return
    case 'case.merged':
      tally.merged.set(whole(pub['case']), whole(pub['into']))
      return
    case 'case.confirm':
    case 'case.release':
    case 'case.overturn':
      tally.verbs.push({
        seq,
        atMs,
        caseNumber: whole(pub['case']),
        verb: type.slice('case.'.length),
        before: text(pub['before']),
        principal: entry.actor.principal ?? null,
      })
      return
    case 'case.appeal':
      tally.appeals.push({
        seq,
        atMs,
        appeal: whole(pub['appeal']),
        event: text(pub['event']),
        receivedMs: Date.parse(text(pub['received'])),
      })
      return
    case 'import.batch':
    case 'exchange.page':
    case 'exchange.emptied':
      tally.imports.push({
        bank: text(pub['bank']),
        added: whole(pub['added']),
        removed: whole(pub['removed']),
      })
      return
    default:
  }
}

function addDecision(tally: Tally, pub: Record<string, unknown>): void {
  const decision = {
    bank: text(pub['bank']),
    type: text(pub['type']),
    outcome: text(pub['outcome']),
    reason: text(pub['reason']),
  }
  addCount(tally.decisions, { ...decision, count: 1 })
  const caseNumber = pub['case']
  if (typeof caseNumber !== 'number') return
  const signals = tally.signals.get(caseNumber) ?? new Set()
  tally.signals.set(caseNumber, signals.add(`${decision.bank} ${decision.type}`))
}

function addCount(decisions: Map<string, Decision>, given: Decision): void {
  const { bank, type, outcome, reason } = given
  const key = [bank, type, outcome, reason].join(' ')
  const before = decisions.get(key)?.count ?? 0
  decisions.set(key, { ...given, count: before + given.count })
}

/** Of two periods that have no moment in common. Neither is changed. */
export function mergeTallies(a: Tally, b: Tally): Tally {
  const bySeq = <T extends { seq: number }>(one: T[], other: T[]) =>
    [...one, ...other].toSorted((x, y) => x.seq - y.seq)
  const merged: Tally = {
    entries: a.entries + b.entries,
    seqs:
      a.seqs === null || b.seqs === null
        ? (a.seqs ?? b.seqs)
        : {
            first: Math.min(a.seqs.first, b.seqs.first),
            last: Math.max(a.seqs.last, b.seqs.last),
          },
    types: new Map(a.types),
    hours: [...a.hours, ...b.hours],
    decisions: new Map(a.decisions),
    intents: new Map([...a.intents, ...b.intents]),
    results: bySeq(a.results, b.results),
    openings: [...a.openings, ...b.openings],
    verbs: bySeq(a.verbs, b.verbs),
    merged: new Map([...a.merged, ...b.merged]),
    signals: new Map([...a.signals].map(([key, set]) => [key, new Set(set)])),
    appeals: bySeq(a.appeals, b.appeals),
    imports: [...a.imports, ...b.imports],
    changes: bySeq(a.changes, b.changes),
  }
  for (const [type, count] of b.types) increase(merged.types, type, count)
  for (const decision of b.decisions.values()) addCount(merged.decisions, decision)
  for (const [caseNumber, set] of b.signals) {
    const signals = merged.signals.get(caseNumber) ?? new Set()
    for (const signal of set) signals.add(signal)
    merged.signals.set(caseNumber, signals)
  }
  return merged
}

export function isWithin(atMs: number, { from, to }: Period): boolean {
  return atMs >= from.getTime() && atMs < to.getTime()
}

function increase(counts: Map<string, number>, key: string, by: number): void {
  counts.set(key, (counts.get(key) ?? 0) + by)
}

/** Entries are of our own making and verified elsewhere; what is not there counts as nothing. */
function whole(value: unknown): number {
  return typeof value === 'number' ? value : 0
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : ''
}
