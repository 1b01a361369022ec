// A signal on its way into a bank: read, and refused where it says nothing about one picture. Pure.
import type { AnySignalType, Hex } from '../domain/blob.ts'
import { pdqQualityMin } from '../domain/blob.ts'
import { UsageError } from '../domain/errors.ts'
import { digitsOf, typesInWords } from '../domain/other-type.ts'
import type { OtherTypes } from '../domain/other-type.ts'

/** quality: of a PDQ hash, 0 to 100, where the list knows it. */
export type NewSignal = { type: AnySignalType; value: Hex; quality?: number }

export type SignalRefusal =
  'low-quality' | 'abnormal-popcount' | 'flat' | 'periodic' | 'empty-file' | 'constant'

export const refusalSentences: Record<SignalRefusal, string> = {
  'low-quality': `PDQ of quality under ${pdqQualityMin}: there is too little to see in the picture`,
  'abnormal-popcount': 'not the PDQ hash of a picture: half of its bits are set in every one',
  flat: 'the PDQ hash of a flat picture: it repeats a few words',
  periodic: 'the PDQ hash of a regular pattern: it repeats itself',
  'empty-file': 'the digest of a file without a byte',
  constant: 'one digit repeated: a placeholder, not a hash',
}

/**
 * What every PDQ hash of a picture keeps. By construction exactly half of the 256 bits are set, fewer only where
 * coefficients tie; every reference vector of quality 50 and more has 128. A hash that was turned afterwards loses that:
 * 98 to 148 among the turned vectors. The bounds are five standard deviations of 256 fair coins around 128. The vectors
 * have 8 distinct words at least, and none comes nearer than 72 bits to itself moved along by 1, 2, 4, … digits.
 */
export const pdqShape = {
  bitsMin: 88,
  bitsMax: 168,
  distinctWordsMin: 5,
  selfDistanceMin: 32,
} as const

const emptyFile: ReadonlySet<Hex> = new Set([
  'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
  'd41d8cd98f00b204e9800998ecf8427e',
  'da39a3ee5e6b4b0d3255bfef95601890afd80709',
])

/** Of a type that is ours or configured. Throws UsageError with what is wrong; a PDQ hash that says too little is not banked. */
export function parseSignal(signal: NewSignal, others: OtherTypes): NewSignal {
  const digits = digitsOf(signal.type, others)
  if (digits === undefined)
    throw new UsageError(`No such signal type ${signal.type}: ${typesInWords(others)}`)
  const value = signal.value.toLowerCase()
  if (value.length !== digits || !/^[0-9a-f]+$/.test(value)) {
    throw new UsageError(`Invalid ${signal.type} signal: ${digits} hex digits are needed`)
  }
  if (signal.type === 'pdq' && signal.quality !== undefined && signal.quality < pdqQualityMin) {
    throw new UsageError(`Invalid pdq signal: quality ${signal.quality} is under ${pdqQualityMin}`)
  }
  return { ...signal, value }
}

/** undefined: nothing about the signal itself speaks against it. `value`: lower-case hex of the right length. */
export function refusalOf({ type, value, quality }: NewSignal): SignalRefusal | undefined {
  if (isOneDigit.test(value)) return 'constant'
  if (type !== 'pdq') return emptyFile.has(value) ? 'empty-file' : undefined
  if (quality !== undefined && quality < pdqQualityMin) return 'low-quality'
  const bytes = Buffer.from(value, 'hex')
  const ones = onesIn(bytes)
  if (ones < pdqShape.bitsMin || ones > pdqShape.bitsMax) return 'abnormal-popcount'
  if (distinctWords(bytes) < pdqShape.distinctWordsMin) return 'flat'
  const isPeriodic = [1, 2, 4, 8, 16, 32].some(
    (digits) => selfDistance(bytes, digits) < pdqShape.selfDistanceMin,
  )
  return isPeriodic ? 'periodic' : undefined
}

const isOneDigit = /^(.)\1*$/

const onesOfByte = Uint8Array.from({ length: 256 }, (_, byte) => {
  let ones = 0
  for (let rest = byte; rest > 0; rest >>= 1) ones += rest & 1
  return ones
})

function onesIn(bytes: Uint8Array): number {
  let ones = 0
  for (const byte of bytes) ones += onesOfByte[byte] as number
  return ones
}

function distinctWords(bytes: Buffer): number {
  const words = new Set<number>()
  for (let at = 0; at < bytes.length; at += 2) words.add(bytes.readUInt16BE(at))
  return words.size
}

/** To itself, moved along by so many hex digits. */
function selfDistance(bytes: Uint8Array, digits: number): number {
  const whole = digits >> 1
  let distance = 0
  for (let at = 0; at < bytes.length; at++) {
    const first = bytes[(at + whole) % bytes.length] as number
    const second = bytes[(at + whole + 1) % bytes.length] as number
    const moved = digits === 1 ? ((first << 4) & 0xf0) | (second >> 4) : first
    distance += onesOfByte[(bytes[at] as number) ^ moved] as number
  }
  return distance
}
