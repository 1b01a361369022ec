// One signal against the banks, as HMA counts: which banks, which contents, how near.
//
// Promises: nothing farther than HMA's own distance or the bank's, whichever is nearer; what a bank of harmless pictures sets
// aside does not count; a bank's own signal is never part of an answer (promise 8).
import type { Bank, Match } from '../../domain/bank.ts'
import type { AnySignalType, Hex, Signals } from '../../domain/blob.ts'
import { isOfOther } from '../../domain/other-type.ts'
import type { OtherTypes } from '../../domain/other-type.ts'
import { gate, isNegative } from '../../domain/gate.ts'
import { RetryableError } from '../../domain/errors.ts'
import type { Parts } from '../../service.ts'
import { refuseForNow } from './answers.ts'

/** HMA's constant for PDQ. */
export const pdqDistanceMax = 31

export type Found = { bank: Bank; content: number; distance: number }

export type Lookup = (
  type: AnySignalType,
  value: Hex,
  filter: {
    /** Names; undefined: all banks. */
    banks: ReadonlySet<string> | undefined
    /** A bank whose ratio is less is left out. 0: every bank is asked. */
    coinflip: number
  },
) => Promise<Found[]>

/** Each content once, by its nearest signal; by bank, then content. */
export function createLookup({
  matcher,
  bankBook,
  others,
}: Pick<Parts, 'matcher' | 'bankBook' | 'others'>): Lookup {
  return async (type, value, { banks: names, coinflip }) => {
    const matches = await matchNow(matcher, signalsOf(type, value, others))
    const banks = bankBook.banks()
    const { counted } = gate(
      // A change between the lookup and here may have brought or taken a bank.
      matches.filter((match) => banks.has(match.bankId)),
      wholeBanks(banks),
      noDigest,
    )
    const nearest = new Map<number, Found>()
    for (const { bankId, contentId, distance, type: by } of counted) {
      const bank = banks.get(bankId) as Bank
      if (by !== type || bank.policy.ratio < coinflip) continue
      if (names !== undefined && !names.has(bank.name)) continue
      const known = nearest.get(contentId)
      if (known === undefined || distance < known.distance)
        nearest.set(contentId, { bank, content: contentId, distance })
    }
    return [...nearest.values()].toSorted((a, b) => a.bank.id - b.bank.id || a.content - b.content)
  }
}

const noDigest = ''

function signalsOf(type: AnySignalType, value: Hex, others: OtherTypes): Signals {
  if (isOfOther(type)) {
    const { version = '' } = others.get(type) ?? {}
    return { sha256: noDigest, others: [{ type, version, value }] }
  }
  if (type === 'pdq') return { sha256: noDigest, pdq: { hash: value, quality: 100 } }
  return { sha256: noDigest, [type]: value }
}

async function matchNow(matcher: Parts['matcher'], signals: Signals): Promise<Match[]> {
  try {
    return (await matcher.match(signals, { distanceMax: { pdq: pdqDistanceMax } })).matches
  } catch (error) {
    if (error instanceof RetryableError) refuseForNow('index not yet ready')
    throw error
  }
}

/**
 * HMA draws by request, not by the blob's digest: the gate sees every bank whole. Only a bank of harmless pictures that is
 * switched off stays off.
 */
function wholeBanks(banks: ReadonlyMap<number, Bank>): ReadonlyMap<number, Bank> {
  return new Map(
    [...banks].map(([id, bank]) => {
      const isOff = isNegative(bank) && bank.policy.ratio === 0
      return [id, isOff ? bank : { ...bank, policy: { ...bank.policy, ratio: 1 } }]
    }),
  )
}
