// A hash that a caller asks about, and what of the banks it may be told.
//
// Promises: what counts is what counts in the pipeline (gate.ts); a bank's hash is never told, how near it lies only to
// keys with `match:distance`, a restricted bank's name only to keys with `bank:read` (docs/decisions/0052-api-requests.md).
import type { Bank, Match } from '../../domain/bank.ts'
import { pdqQualityMin, signalDigits, signalTypes } from '../../domain/blob.ts'
import type { AnySignalType, Hex, Signals } from '../../domain/blob.ts'
import { gate } from '../../domain/gate.ts'
import { isOfOther } from '../../domain/other-type.ts'
import type { OtherTypes } from '../../domain/other-type.ts'
import type { Matcher } from '../../domain/ports.ts'
import { isExact } from '../../domain/signal-kind.ts'
import { UsageError } from '../../domain/errors.ts'
import { may } from '../access.ts'
import type { Access } from '../access.ts'

/** `version`: of the plug-in, where the type is one's. */
export type Asked = { type: AnySignalType; value: Hex; quality?: number; version?: string }

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

/** `bits`: of a value of its type. */
export type FoundMatch = Match & { bank: Bank; bits: number }

export type ToldAs = {
  match_id: string
  bank_name: string
  hash_type: AnySignalType
  content?: number
  distance?: number
  similarity?: number
}

/** No bank can have it: bank names are upper case. */
export const unnamedBank = 'restricted'

const hexPattern = /^[0-9a-f]+$/i

export function parseAsked(
  input: { hash_type?: unknown; hash_value?: unknown; quality?: unknown },
  others: OtherTypes,
): Asked | AskedWrong {
  const known = typeNamed(input.hash_type, others)
  if (known === undefined) return 'hash-type'
  const { digits, ...type } = known
  const { hash_value: value, quality } = input
  if (typeof value !== 'string' || value.length !== digits || !hexPattern.test(value))
    return 'hash-value'
  if (quality === undefined) return { ...type, value: value.toLowerCase() }
  if (typeof quality !== 'number' || !(quality >= 0 && quality <= 100)) return 'quality'
  return { ...type, value: value.toLowerCase(), quality }
}

function typeNamed(
  name: unknown,
  others: OtherTypes,
): { type: AnySignalType; digits: number; version?: string } | undefined {
  const ours = signalTypes.find((one) => one === name)
  if (ours !== undefined) return { type: ours, digits: signalDigits[ours] }
  const rule = typeof name === 'string' ? others.get(name) : undefined
  return rule && { type: rule.type, digits: rule.digits, version: rule.version }
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
      throw new UsageError(
        'A bank in banks is not there, or this key may not name it: restricted banks need bank:read.',
      )
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
  const bits = asked.value.length * 4
  const distanceMax = thresholdDistance(asked.type, bits, frame.threshold)
  const nearest = new Map<number, FoundMatch>()
  for (const match of gate(known, seen, asked.value).counted) {
    const bank = banks.get(match.bankId)
    if (bank === undefined || only?.has(bank.id) === false) continue
    if (match.distance > distanceMax) continue
    const best = nearest.get(match.contentId)
    if (best === undefined || match.distance < best.distance)
      nearest.set(match.contentId, { ...match, bank, bits })
  }
  const found = [...nearest.values()]
  // Without distances their order may not tell them either.
  return frame.showsDistance ? found.toSorted((a, b) => a.distance - b.distance) : found
}

/** A threshold t of the integration guide: at most floor((1 - t) * bits) apart. Exact types ignore it. */
function thresholdDistance(
  type: AnySignalType,
  bits: number,
  threshold: number | undefined,
): number {
  if (threshold === undefined || isExact(type)) return Infinity
  return Math.floor((1 - threshold) * bits)
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
      similarity: 1 - match.distance / match.bits,
    }),
  }
}

/** `sha256` is empty where it is not known: no bank signal is the empty text. */
function signalsOf({ type, value, quality = 100, version = '' }: Asked): Signals {
  if (isOfOther(type)) return { sha256: '', others: [{ type, version, value }] }
  if (type === 'sha256') return { sha256: value }
  if (type !== 'pdq') return { sha256: '', [type]: value }
  return quality < pdqQualityMin ? { sha256: '' } : { sha256: '', pdq: { hash: value, quality } }
}

function inFull(banks: ReadonlyMap<number, Bank>): ReadonlyMap<number, Bank> {
  return new Map(
    [...banks].map(([id, bank]) => [id, { ...bank, policy: { ...bank.policy, ratio: 1 } }]),
  )
}
