// HMA's names of signal types, what each is to us, and how HMA writes values and distances of it. Pure.
import type { AnySignalType, Hex, SignalType } from '../../domain/blob.ts'
import { signalDigits } from '../../domain/blob.ts'
import type { OtherRule, OtherTypes } from '../../domain/other-type.ts'
import { isExact } from '../../domain/signal-kind.ts'
import { refuse, quoted } from './answers.ts'

export type ContentType = 'photo' | 'video'
export const contentTypes = ['photo', 'video'] as const satisfies ContentType[]

export type HmaType = {
  name: string
  ours: AnySignalType
  /** Of a value. */
  digits: number
  /** Whose files it is a hash of. */
  of: readonly ContentType[]
  /** HMA has it without being configured, or the operator configured it. The others are there for whoever names them. */
  standard: boolean
  /** Where it is a plug-in's. */
  rule?: OtherRule
}

type OurType = Omit<HmaType, 'digits' | 'ours'> & { ours: SignalType }
const ourTypes: readonly OurType[] = [
  { name: 'pdq', ours: 'pdq', of: ['photo'], standard: true },
  { name: 'video_md5', ours: 'md5', of: ['video'], standard: true },
  { name: 'video_sha256', ours: 'sha256', of: ['video'], standard: false },
  { name: 'md5', ours: 'md5', of: ['photo', 'video'], standard: false },
  { name: 'sha1', ours: 'sha1', of: ['photo', 'video'], standard: false },
  { name: 'sha256', ours: 'sha256', of: ['photo', 'video'], standard: false },
  { name: 'clip', ours: 'clip', of: [], standard: false },
]

/** All that can be named here: ours under HMA's names, and those of plug-ins under their own, as extensions of HMA's have them. */
export function hmaTypesWith(others: OtherTypes): readonly HmaType[] {
  return [
    ...ourTypes.map((type) => ({ ...type, digits: signalDigits[type.ours] })),
    ...[...others.values()].map((rule) => ({
      ...{ name: rule.type, ours: rule.type, digits: rule.digits, standard: true, rule },
      of: contentTypes.filter((content) => rule.media.includes(mediaOf[content])),
    })),
  ]
}

const mediaOf = { photo: 'image', video: 'video' } as const

export function typeNamed(types: readonly HmaType[], name: string): HmaType | undefined {
  return types.find((type) => type.name === name)
}

/** How a stored signal of ours is named on this interface; the plain names where HMA has no other. */
export function nameOf(ours: AnySignalType): string {
  return ourTypes.find((type) => type.ours === ours)?.name ?? ours
}

/** `types` of a request: a comma list; without one what HMA has for that kind of file. undefined: not known yet. */
export function typesFor(
  known: readonly HmaType[],
  content: ContentType | undefined,
  types: string | undefined,
  off: ReadonlySet<string>,
): HmaType[] {
  const fits = ({ name, of }: HmaType) =>
    !off.has(name) && (content === undefined || of.includes(content))
  if (types === undefined) return known.filter((type) => type.standard && fits(type))
  const names = types.split(',').map((name) => name.trim())
  const given = names.filter((name) => name !== '').slice(0, known.length + 1)
  if (given.length === 0) refuse(400, 'empty signal type selection')
  return given.map(
    (name) =>
      known.find((type) => type.name === name && fits(type)) ??
      refuse(400, `signal type ${quoted(name)} doesn't exist or is disabled`),
  )
}

/**
 * HMA takes PDQ in lower case only and without blanks; digests in any case with blanks around. undefined: not of that
 * type. Never repeats the value.
 */
export function readValue(type: HmaType, text: string): Hex | undefined {
  const value = type.ours === 'pdq' ? text : text.trim().toLowerCase()
  return value.length === type.digits && /^[0-9a-f]+$/.test(value) ? value : undefined
}

export function invalidSentence(type: HmaType): string {
  return type.ours === 'pdq' ? 'invalid PDQ hash' : `invalid ${type.name} hash`
}

/** A text: bits for what looks alike, a dash for what is equal. */
export function distanceText(type: AnySignalType, distance: number): string {
  return isExact(type) ? '-' : String(distance)
}
