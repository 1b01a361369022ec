// What would be found and decided about a scanned blob with the banks as they are now, and how that differs from what
// was recorded. Pure: the matches of now are handed in (banks-now.ts).
import type { MatchFacts, PlaceRow } from '../cases/explain-blob.ts'
import type { Bank, Match, Mode } from '../domain/bank.ts'
import type { AnySignalType, Hex } from '../domain/blob.ts'
import { decide } from '../domain/decide.ts'
import type { Decision } from '../domain/decide.ts'
import { gate } from '../domain/gate.ts'
import type { Gated } from '../domain/gate.ts'

export type Situation = {
  deploymentMode: Mode
  canLabel: boolean
  canPreserve: boolean
  /** A PDS is configured: the places are taken to lie on it. */
  administered: boolean
}

export type JudgedNow = Gated & {
  /** All that match, before anything is set aside; those of negative banks too. */
  matches: Match[]
  decisions: { place: PlaceRow; decision: Decision }[]
}

export function judge(
  input: { sha256: Hex; matches: Match[]; banks: ReadonlyMap<number, Bank>; places: PlaceRow[] },
  { deploymentMode, canLabel, canPreserve, administered }: Situation,
): JudgedNow {
  const { matches, banks } = input
  const gated = gate(matches, banks, input.sha256)
  const decisions =
    gated.counted.length === 0
      ? []
      : input.places.map((place) => ({
          place,
          decision: decide({
            deploymentMode,
            retroactive: false,
            matches: gated.counted,
            banks,
            place: { ...placeOf(place), administered },
            canLabel,
            canPreserve,
          }),
        }))
  return { ...gated, matches, decisions }
}

export function placeOf({ collection, rkey }: Pick<PlaceRow, 'collection' | 'rkey'>) {
  return { ...(collection !== null && { collection }), ...(rkey !== null && { rkey }) }
}

export type RecordedDecision = PlaceRow & { outcome: string; wants: string[] }

/** In sentences; none: as it was recorded. `recorded` decisions newest first. */
export function differences(
  recorded: { matches: readonly MatchFacts[]; decisions: readonly RecordedDecision[] },
  now: JudgedNow,
  banks: ReadonlyMap<number, Bank>,
  nowMs: number,
): string[] {
  const known = new Map(recorded.matches.map((one) => [one.signal, one]))
  const found = new Map([...now.counted, ...now.setAside].map((one) => [one.signalId, one]))
  const setAsideNow = new Set(now.setAside.map((one) => one.signalId))
  const told: string[] = []
  for (const one of recorded.matches) {
    const what = `content ${one.content} (${one.type}, distance ${one.distance})`
    if (!found.has(one.signal)) told.push(`${what} matches no more: ${whyGone(one, banks, nowMs)}`)
    else if (one.setAside === null && setAsideNow.has(one.signal))
      told.push(`${what} is set aside now`)
    else if (one.setAside !== null && !setAsideNow.has(one.signal))
      told.push(`${what} was set aside and counts now`)
  }
  for (const one of found.values()) {
    if (!known.has(one.signalId))
      told.push(
        `content ${one.contentId} (${one.type}, distance ${one.distance}) matches now and did not`,
      )
  }
  return [...told, ...decisionDifferences(recorded.decisions, now)]
}

function decisionDifferences(recorded: readonly RecordedDecision[], now: JudgedNow): string[] {
  const changes = new Map<string, number>()
  for (const { place, decision } of now.decisions) {
    const before = recorded.find((one) => isSamePlace(one, place))
    const was = before === undefined ? 'not decided' : sentence(before)
    const is = sentence(decision)
    if (was !== is) changes.set(`${was}, now ${is}`, (changes.get(`${was}, now ${is}`) ?? 0) + 1)
  }
  const lost = recorded.filter(
    (one, index) =>
      now.decisions.length === 0 &&
      recorded.findIndex((other) => isSamePlace(other, one)) === index,
  ).length
  return [
    ...[...changes].map(
      ([change, places]) => `${places === 1 ? '1 place' : `${places} places`}: ${change}`,
    ),
    ...(lost > 0
      ? [`nothing counts now: ${lost === 1 ? '1 place' : `${lost} places`} would have no decision`]
      : []),
  ]
}

function sentence({ outcome, wants }: { outcome: string; wants: readonly string[] }): string {
  return wants.length === 0 ? outcome : `${outcome} (${wants.join(', ')})`
}

function isSamePlace(a: PlaceRow, b: PlaceRow): boolean {
  return a.account === b.account && a.collection === b.collection && a.rkey === b.rkey
}

function whyGone(match: MatchFacts, banks: ReadonlyMap<number, Bank>, nowMs: number): string {
  if (match.movedTo !== null) return `it was moved and is content ${match.movedTo} now`
  if (match.removedAt !== null) return 'it was removed'
  const until = match.disableUntilTs
  if (until === 0) return 'it is disabled'
  if (until > 1 && until > nowMs / 1000) return 'it is disabled for a time'
  const max = maxOf(match.type, banks.get(match.bankId))
  if (max !== undefined && match.distance > max) return `the bank's distance is ${max} now`
  return 'its bank is one of harmless pictures now, or its signal is gone'
}

/** The largest distance of a type that a bank sets; undefined: none, only what is equal or what a manifest says. */
export function maxOf(type: AnySignalType, bank: Bank | undefined): number | undefined {
  if (type === 'pdq') return bank?.policy.pdqDistanceMax
  return type === 'clip' ? bank?.policy.clipDistanceMax : undefined
}
