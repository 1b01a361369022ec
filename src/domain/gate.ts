// What keeps a match from counting: a bank that looks at a share of blobs only, and banks of known harmless pictures.
// Pure. What is set aside here is still recorded, with the reason (docs/decisions/0032-exact-beats-perceptual.md).
import type { Bank, Match } from './bank.ts'
import type { Hex } from './blob.ts'
import { isExact } from './signal-kind.ts'

export type SetAside = Match & ({ by: 'ratio' } | { by: 'negative'; byContent: number })

export type Gated = { counted: Match[]; setAside: SetAside[] }

/**
 * `sha256` is the blob's own digest. A match by an exact digest gives way only to a negative match by an exact digest: a
 * harmless picture that looks alike says nothing about this very file. Matches of negative banks themselves never count
 * and are in neither list. Throws TypeError when a match names a bank that is not given.
 */
export function gate(
  matches: readonly Match[],
  banks: ReadonlyMap<number, Bank>,
  sha256: Hex,
): Gated {
  const named = matches.map((match) => ({ match, bank: bankOf(match, banks) }))
  const negatives = named
    .filter(({ bank }) => isNegative(bank) && isSampled(bank, sha256))
    .toSorted((a, b) => byStrength(a.match, b.match))
  const gated: Gated = { counted: [], setAside: [] }
  for (const { match, bank } of named) {
    if (isNegative(bank)) continue
    if (!isSampled(bank, sha256)) {
      gated.setAside.push({ ...match, by: 'ratio' })
      continue
    }
    const negative = negatives.find((one) => suppresses(one, match))
    if (negative === undefined) gated.counted.push(match)
    else gated.setAside.push({ ...match, by: 'negative', byContent: negative.match.contentId })
  }
  return gated
}

/** A bank of known harmless pictures: it keeps others from matching and decides nothing itself. */
export function isNegative(bank: Pick<Bank, 'policy'>): boolean {
  return bank.policy.suppresses !== undefined
}

/** The same blob gets the same answer from the same bank and seed, on every machine and however often it is asked. */
export function isSampled(bank: Pick<Bank, 'id' | 'policy'>, sha256: Hex): boolean {
  const { ratio, ratioSeed } = bank.policy
  if (ratio >= 1) return true
  const draw = mix(Number.parseInt(sha256.slice(0, 8), 16) ^ textHash(`${ratioSeed}:${bank.id}`))
  return draw / 2 ** 32 < ratio
}

function bankOf(match: Match, banks: ReadonlyMap<number, Bank>): Bank {
  const bank = banks.get(match.bankId)
  if (bank === undefined) throw new TypeError(`gate() was not given bank ${match.bankId}`)
  return bank
}

/** Which of several negative matches is named: exact before perceptual, nearer before farther, older before newer. */
function byStrength(a: Match, b: Match): number {
  return (
    Number(isExact(b.type)) - Number(isExact(a.type)) ||
    a.distance - b.distance ||
    a.contentId - b.contentId
  )
}

function suppresses(negative: { match: Match; bank: Bank }, match: Match): boolean {
  const named = negative.bank.policy.suppresses
  if (named !== 'all' && named?.includes(match.bankId) !== true) return false
  return !isExact(match.type) || isExact(negative.match.type)
}

/** FNV-1a over UTF-16 units. */
function textHash(text: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  return hash
}

/** The finalizer of MurmurHash3: every bit of the word moves every bit of the result. */
function mix(word: number): number {
  let h = word
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return (h ^ (h >>> 16)) >>> 0
}
