// Signal types that are not ours. An operator configured them as plug-ins; what is known of them is their manifest's word.
import { signalDigits, signalTypes } from './blob.ts'
import type {
  AnySignalType,
  MediaKind,
  OtherSignal,
  OtherType,
  PluginReason,
  SignalType,
} from './blob.ts'

/** What a match by values of this type takes. */
export type OtherRule = {
  type: OtherType
  /** Values of another version are not compared. */
  version: string
  /** The kinds of media that have to be asked about before a scan may end in `clear`. */
  media: readonly MediaKind[]
  /** Hex digits of a value; at most `otherDigitsMax`. */
  digits: number
  /** Bits that may differ in a match; 0: equal. */
  radius: number
}

/** By name: those that are configured. */
export type OtherTypes = ReadonlyMap<string, OtherRule>
export const noOtherTypes: OtherTypes = new Map()

/** 64 bytes: the widest row of the search. */
export const otherDigitsMax = 128

export function isOurs(type: string): type is SignalType {
  return (signalTypes as readonly string[]).includes(type)
}

export function isOfOther(type: AnySignalType): type is OtherType {
  return !isOurs(type)
}

/** All that is compared here: ours, and those of the configured plug-ins. */
export function typesWith(others: OtherTypes): AnySignalType[] {
  return [...signalTypes, ...[...others.values()].map(({ type }) => type)]
}

/** Hex digits of a value. undefined: of a type that nobody configured. */
export function digitsOf(type: string, others: OtherTypes): number | undefined {
  return isOurs(type) ? signalDigits[type] : others.get(type)?.digits
}

/** What there is, where somebody named a type that nobody knows. */
export function typesInWords(others: OtherTypes): string {
  const names = [...others.keys()].toSorted()
  const told = names.length === 0 ? 'no plug-in is configured' : `of plug-ins ${names.join(', ')}`
  return `ours are ${signalTypes.join(', ')}; ${told}`
}

/** Why a blob is not looked at in full for what plug-ins said of it; undefined: each of now, for this kind of media, answered. */
export function pluginReason(
  { others = [] }: { others?: readonly OtherSignal[] },
  kind: MediaKind,
  types: OtherTypes,
): PluginReason | undefined {
  const wanted = [...types.values()].filter(({ media }) => media.includes(kind))
  const answers = wanted.map(({ type, version }) =>
    others.find((one) => one.type === type && one.version === version),
  )
  if (answers.includes(undefined)) return 'plugin-failed'
  return answers.some((answer) => answer?.refused === true) ? 'plugin-refused' : undefined
}
