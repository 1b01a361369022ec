// What people decided in a period: how fast, how often the match was wrong, and what came of appeals.
import type { Spread } from './quantile.ts'
import { spreadOf } from './quantile.ts'
import type { Appeal, Tally, Verb } from './tally.ts'

/** What the entries of the period do not say, because it was written before it. */
export type CaseLookup = {
  openedMs: ReadonlyMap<number, number>
  /** Case -> `bank type` of its decisions. */
  signals: ReadonlyMap<number, ReadonlySet<string>>
}

export type ErrorRate = { right: number; wrong: number; rate: number | null }

export type People = {
  verbs: { verb: string; cases: number }[]
  byPrincipal: { principal: string; decisions: number }[]
  /** Seconds from a case's opening to the first word about it. */
  timeToDecision: Spread | null
  /** How many of these were opened before the period. */
  openedEarlier: number
  errorRate: ErrorRate
  errorRateByType: (ErrorRate & { type: string })[]
  errorRateByBank: (ErrorRate & { bank: string })[]
}

export type Appeals = {
  received: number
  upheld: number
  rejected: number
  /** Seconds from the receipt to the answer, of those answered in the period. */
  timeToAnswer: Spread | null
}

/** Cases decided in the period of which the tally alone does not know when they were opened, or what matched. */
export function casesToLookUp(tally: Tally): number[] {
  const opened = new Set(tally.openings.map((opening) => opening.caseNumber))
  const missing = tally.verbs
    .filter(({ caseNumber }) => !opened.has(caseNumber) || !tally.signals.has(caseNumber))
    .map(({ caseNumber }) => caseNumber)
  return [...new Set(missing)].toSorted((a, b) => a - b)
}

export function sumPeople(tally: Tally, lookup: CaseLookup): People {
  const lastWords = new Map(tally.verbs.map((verb) => [verb.caseNumber, verb]))
  const waits = waitsOf(tally, lookup)
  return {
    verbs: countBy(tally.verbs, ({ verb }) => verb).map(([verb, cases]) => ({ verb, cases })),
    byPrincipal: countBy(tally.verbs, ({ principal }) =>
      principal === null ? 'system' : `p${principal}`,
    ).map(([principal, decisions]) => ({ principal, decisions })),
    timeToDecision: spreadOf(waits.map((wait) => wait.seconds)) ?? null,
    openedEarlier: waits.filter((wait) => wait.earlier).length,
    ...errorRates([...lastWords.values()], tally, lookup),
  }
}

/** Only what a person answered that waited for one: what the policy did by itself waited for nobody. */
function waitsOf(tally: Tally, { openedMs }: CaseLookup): { seconds: number; earlier: boolean }[] {
  const opened = Map.groupBy(tally.openings, ({ caseNumber }) => caseNumber)
  return tally.verbs.flatMap(({ caseNumber, atMs, before }) => {
    if (before !== 'open') return []
    const openings = (opened.get(caseNumber) ?? [])
      .map((opening) => opening.atMs)
      .filter((openedMs) => openedMs <= atMs)
    const since = openings.length > 0 ? Math.max(...openings) : openedMs.get(caseNumber)
    if (since === undefined) return []
    return [{ seconds: Math.max(0, (atMs - since) / 1000), earlier: openings.length === 0 }]
  })
}

function errorRates(lastWords: readonly Verb[], tally: Tally, lookup: CaseLookup) {
  const total = { right: 0, wrong: 0 }
  const byType = new Map<string, typeof total>()
  const byBank = new Map<string, typeof total>()
  const mergedInto = Map.groupBy(tally.merged, ([, into]) => into)
  for (const { caseNumber, verb } of lastWords) {
    const part = verb === 'confirm' ? 'right' : 'wrong'
    const numbers = [caseNumber, ...(mergedInto.get(caseNumber) ?? []).map(([from]) => from)]
    const signals = [...signalsOf(numbers, tally, lookup)].map((signal) => signal.split(' '))
    total[part] += 1
    for (const [map, keys] of [
      [byBank, signals.map(([bank]) => bank)],
      [byType, signals.map(([, type]) => type)],
    ] as const) {
      for (const key of new Set(keys)) {
        const counted = map.get(key ?? '') ?? { right: 0, wrong: 0 }
        counted[part] += 1
        map.set(key ?? '', counted)
      }
    }
  }
  return {
    errorRate: rated(total),
    errorRateByType: ordered(byType).map(([type, counted]) => ({ type, ...rated(counted) })),
    errorRateByBank: ordered(byBank).map(([bank, counted]) => ({ bank, ...rated(counted) })),
  }
}

/** Of a case and of those that were merged into it. */
function signalsOf(numbers: readonly number[], tally: Tally, lookup: CaseLookup): Set<string> {
  return new Set(
    numbers.flatMap((number) => [
      ...(tally.signals.get(number) ?? []),
      ...(lookup.signals.get(number) ?? []),
    ]),
  )
}

export function sumAppeals(appeals: readonly Appeal[]): Appeals {
  const of = (event: string) => appeals.filter((appeal) => appeal.event === event)
  const answered = [...of('upheld'), ...of('rejected')]
  return {
    received: of('received').length,
    upheld: of('upheld').length,
    rejected: of('rejected').length,
    timeToAnswer:
      spreadOf(answered.map(({ atMs, receivedMs }) => Math.max(0, (atMs - receivedMs) / 1000))) ??
      null,
  }
}

function rated(counted: { right: number; wrong: number }): ErrorRate {
  const all = counted.right + counted.wrong
  return { ...counted, rate: all === 0 ? null : counted.wrong / all }
}

export function countBy<T>(rows: readonly T[], key: (row: T) => string): [string, number][] {
  const counts = new Map<string, number>()
  for (const row of rows) counts.set(key(row), (counts.get(key(row)) ?? 0) + 1)
  return ordered(counts)
}

function ordered<T>(map: ReadonlyMap<string, T>): [string, T][] {
  return [...map].toSorted(([a], [b]) => (a < b ? -1 : 1))
}
