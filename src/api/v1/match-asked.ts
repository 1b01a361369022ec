// A hash that a caller asks about, and what of the banks it may be told.
//
// Promises: what counts is what counts in the pipeline (gate.ts); a bank's hash is never told, how near it lies only to
// keys with `match:distance`, a restricted bank's name only to keys with `bank:read` (docs/decisions/0052-api-requests.md).
import type { Bank, Match } from '../../domain/bank.ts'
import { pdqQualityMin, signalDigits, signalTypes } from '../../domain/blob.ts'
import type { Hex, SignalType, Signals } from '../../domain/blob.ts'
import { gate } from '../../domain/gate.ts'
import type { Matcher } from '../../domain/ports.ts'
import { isExact } from '../../domain/signal-kind.ts'
import { UsageError } from '../../domain/errors.ts'
import { may } from '../access.ts'
import type { Access } from '../access.ts'

export type Asked = { type: SignalType; value: Hex; quality?: number }

export type AskedWrong = 'hash-type' | 'hash-value' | 'quality'

/** How an answer is made for this caller. */
export type AskFrame = {
  banks: ReadonlyMap<number, Bank>
  /** undefined: all. */
  only: ReadonlySet<number> | undefined
  threshold: number | undefined
  showsDistance: boolean
  showsRestricted: boolean
}

export type FoundMatch = Match & { bank: Bank }

export type ToldAs = {
  match_id: string
  bank_name: string
  hash_type: SignalType
  content?: number
  distance?: number
  similarity?: number
}

/** No bank can have it: bank names are upper case. */
export const unnamedBank = 'restricted'

const hexPattern = /^[0-9a-f]+$/i

export function parseAsked(input: {
  hash_type?: unknown
  hash_value?: unknown
  quality?: unknown
}): Asked | AskedWrong {
  const type = signalTypes.find((one) => one === input.hash_type)
  if (type === undefined) return 'hash-type'
  const { hash_value: value, quality } = input
  if (typeof value !== 'string' || value.length !== signalDigits[type] || !hexPattern.test(value))
    return 'hash-value'
  if (quality === undefined) return { type, value: value.toLowerCase() }
  if (typeof quality !== 'number' || !(quality >= 0 && quality <= 100)) return 'quality'
  return { type, value: value.toLowerCase(), quality }
}

/** Throws UsageError when a bank is not there, or not there for this caller: the two are not told apart. */
export function frameFor(
  access: Access,
  banks: ReadonlyMap<number, Bank>,
  asked: { threshold?: number | undefined; banks?: readonly string[] | undefined },
): AskFrame {
  const showsRestricted = may(access, 'bank:read')
  const named = [...banks.values()].filter((bank) => showsRestricted || bank.class !== 'restricted')
  const only = asked.banks?.map((name) => {
    const bank = named.find((one) => one.name === name)
    if (bank === undefined)
      throw new UsageError('A bank in `banks` is not there, or this key may not name it.')
    return bank.id
  })
  return {
    banks,
    only: only && new Set(only),
    threshold: asked.threshold,
    showsDistance: may(access, 'match:distance'),
    showsRestricted,
  }
}

/** For each what matches: each content once, by its nearest signal. Throws RetryableError while the index cannot be searched. */
export async function findMatches(
  many: readonly Asked[],
  matcher: Pick<Matcher, 'matchMany'>,
  frame: AskFrame,
): Promise<FoundMatch[][]> {
  const { matches } = await matcher.matchMany(many.map(signalsOf))
  return many.map((asked, n) => countedOf(asked, matches[n]!, frame))
}

function countedOf(asked: Asked, matches: readonly Match[], frame: AskFrame): FoundMatch[] {
  if (matches.length === 0) return []
  const { banks, only } = frame
  // A bank may have come since `banks` was read.
  const known = matches.filter(({ bankId }) => banks.has(bankId))
  if (known.length === 0) return []
  // Which share of blobs a bank looks at depends on the blob's own digest, which only a sha256 tells.
  const seen = asked.type === 'sha256' ? banks : inFull(banks)
  // The threshold comes last: a harmless picture counts at its own bank's distance, whatever the caller asks for.
  const distanceMax = thresholdDistance(asked.type, frame.threshold)
  const nearest = new Map<number, FoundMatch>()
  for (const match of gate(known, seen, asked.value).counted) {
    const bank = banks.get(match.bankId)
    if (bank === undefined || only?.has(bank.id) === false) continue
    if (match.distance > distanceMax) continue
    const best = nearest.get(match.contentId)
    if (best === undefined || match.distance < best.distance)
      nearest.set(match.contentId, { ...match, bank })
  }
  const found = [...nearest.values()]
  // Without distances their order may not tell them either.
  return frame.showsDistance ? found.toSorted((a, b) => a.distance - b.distance) : found
}

/** A threshold t of the integration guide: at most floor((1 - t) * bits) apart. Exact types ignore it. */
export function thresholdDistance(type: SignalType, threshold: number | undefined): number {
  if (threshold === undefined || isExact(type)) return Infinity
  return Math.floor((1 - threshold) * bitsOf(type))
}

export function toldAs(match: FoundMatch, id: string, frame: AskFrame): ToldAs {
  const isNamed = match.bank.class !== 'restricted' || frame.showsRestricted
  return {
    match_id: id,
    bank_name: isNamed ? match.bank.name : unnamedBank,
    hash_type: match.type,
    ...(isNamed && { content: match.contentId }),
    ...(frame.showsDistance && {
      distance: match.distance,
      similarity: 1 - match.distance / bitsOf(match.type),
    }),
  }
}

function bitsOf(type: SignalType): number {
  return signalDigits[type] * 4
}

/** `sha256` is empty where it is not known: no bank signal is the empty text. */
function signalsOf({ type, value, quality = 100 }: Asked): Signals {
  if (type === 'sha256') return { sha256: value }
  if (type !== 'pdq') return { sha256: '', [type]: value }
  return quality < pdqQualityMin ? { sha256: '' } : { sha256: '', pdq: { hash: value, quality } }
}

function inFull(banks: ReadonlyMap<number, Bank>): ReadonlyMap<number, Bank> {
  return new Map(
    [...banks].map(([id, bank]) => [id, { ...bank, policy: { ...bank.policy, ratio: 1 } }]),
  )
}
