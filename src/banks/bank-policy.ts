// The rules of a bank's policy. Pure.
import type { BankClass, BankPolicy } from '../domain/bank.ts'
import { distanceBounds } from '../domain/bank.ts'
import { UsageError } from '../domain/errors.ts'

export type PolicyInput = Omit<BankPolicy, 'version'>

const seedCharsMax = 100

/**
 * Throws UsageError with the rule. A negative bank never acts: what it would ask for is dropped. `bank`: its id, where it
 * has one already.
 */
export function parsePolicy(policy: PolicyInput, bankClass: BankClass, bank?: number): PolicyInput {
  wholeUpTo(policy.pdqDistanceMax, distanceBounds.pdq, 'the PDQ distance')
  wholeUpTo(policy.clipDistanceMax, distanceBounds.clip, 'the CLIP distance')
  if (!(policy.ratio >= 0 && policy.ratio <= 1)) {
    throw new UsageError('the ratio of a bank is a number from 0 to 1')
  }
  if (policy.ratioSeed.length > seedCharsMax) {
    throw new UsageError(`a ratio seed has ${seedCharsMax} characters at most`)
  }
  if (policy.label !== undefined && bankClass === 'restricted') {
    throw new UsageError('a restricted bank puts no label on anything')
  }
  if (policy.label !== undefined && !/^[a-z!][a-z0-9-]{0,99}$/.test(policy.label)) {
    throw new UsageError('a label value is lower-case letters, digits and hyphens')
  }
  if (policy.suppresses === undefined) return policy
  checkSuppressed(policy.suppresses, bank)
  const { label: _, ...kept } = policy
  return { ...kept, actions: [], preserve: false }
}

function wholeUpTo(value: number, max: number, what: string): void {
  if (!Number.isInteger(value) || value < 0 || value > max) {
    throw new UsageError(`${what} of a bank is a whole number from 0 to ${max}`)
  }
}

function checkSuppressed(suppresses: 'all' | number[], bank: number | undefined): void {
  if (suppresses === 'all') return
  if (suppresses.length === 0 || suppresses.some((id) => !Number.isInteger(id) || id < 1)) {
    throw new UsageError('a negative bank suppresses all banks, or names some')
  }
  if (bank !== undefined && suppresses.includes(bank)) {
    throw new UsageError('a bank cannot suppress itself')
  }
}

/** What a person should know before they widen a distance; undefined: nothing. */
export function distanceWarning(pdqDistanceMax: number): string | undefined {
  if (pdqDistanceMax <= indexedDistanceMax) return undefined
  const slow = `a PDQ distance over ${indexedDistanceMax} is searched by a scan of all hashes: slower`
  if (pdqDistanceMax <= strangerDistance) return slow
  return `${slow}. Over ${strangerDistance} pictures that have nothing in common begin to match: try it in mode observe`
}

const indexedDistanceMax = 31
const strangerDistance = 40
