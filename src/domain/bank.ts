// Banks of known items and what may be done when something matches them.
import type { AnySignalType } from './blob.ts'
import type { Variant } from './variant.ts'
import { UsageError } from './errors.ts'

export const modes = ['observe', 'hold', 'act'] as const
/** Ordered by what it permits: record only, a person decides, act. */
export type Mode = (typeof modes)[number]

export const bankClasses = ['restricted', 'open'] as const
/** `restricted`: child abuse, intimate images, any list under agreement. Nothing published may name it (promise 9). */
export type BankClass = (typeof bankClasses)[number]

export type ActionKind = 'takedown-blob' | 'takedown-record' | 'label'
export const actionKinds = [
  'takedown-blob',
  'takedown-record',
  'label',
] as const satisfies ActionKind[]

export type BankPolicy = {
  /** Raised by one on each change; a decision names the version it followed. */
  version: number
  /** What a digest that is equal to the last bit does in mode `act`. */
  exact: 'act' | 'hold'
  /** What a perceptual match does in mode `act`; `act` only where the operator said so (promise 7). */
  perceptual: 'act' | 'hold'
  /** The largest distances that match, 0 to `distanceBounds`. Above 31 PDQ is searched by a scan. */
  pdqDistanceMax: number
  clipDistanceMax: number
  /** The share of blobs that this bank is compared with, 0 to 1. Which ones is fixed by the seed and the blob's digest. */
  ratio: number
  ratioSeed: string
  /** A negative bank: what it matches keeps these banks from matching. `all` or bank ids. */
  suppresses?: 'all' | number[]
  actions: ActionKind[]
  /** The label value for records that carry a matched blob. Open banks only. */
  label?: string
  /** Evidence has to be kept before a takedown. Without a vault such a bank holds (promise 6). */
  preserve: boolean
}

/** Beyond these two pictures chosen at random begin to match (docs/matching.md). */
export const distanceBounds = { pdq: 64, clip: 128 } as const

export const policyDefaults: Omit<BankPolicy, 'version'> = {
  exact: 'act',
  perceptual: 'hold',
  pdqDistanceMax: 31,
  clipDistanceMax: 62,
  ratio: 1,
  ratioSeed: '',
  actions: ['takedown-blob', 'takedown-record'],
  preserve: false,
}

export type Bank = {
  id: number
  name: string
  mode: Mode
  class: BankClass
  confidential: boolean
  policy: BankPolicy
}

/** A blob's signal within the bank's distance of a bank signal. Never the bank signal's value (promise 8). */
export type Match = {
  signalId: number
  contentId: number
  bankId: number
  type: AnySignalType
  /** Bits: 0 for digests. */
  distance: number
  /** How the blob was looked at when it came nearest to this signal; `original` for digests. */
  variant: Variant
}

export const bankNamePattern = /^[A-Z_][A-Z0-9_]*$/
export const bankNameCharsMax = 255
/** Of a bank that is removed in one statement: scans wait meanwhile. */
export const removalContentsMax = 100_000

/** HMA's naming rule. Throws UsageError with the rule in the message. */
export function parseBankName(name: string): string {
  if (!bankNamePattern.test(name) || name.length > bankNameCharsMax) {
    throw new UsageError('Bank names must be UPPER_WITH_UNDERSCORE')
  }
  return name
}

export function lowerMode(a: Mode, b: Mode): Mode {
  return modes.indexOf(a) < modes.indexOf(b) ? a : b
}
