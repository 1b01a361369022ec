// /m/compare: two hashes with each other, no bank involved. Pure.
import { isPerceptual } from '../../domain/signal-kind.ts'
import type { PerceptualType } from '../../domain/signal-kind.ts'
import { policyDefaults } from '../../domain/bank.ts'
import { quoted, refuse } from './answers.ts'
import { pdqDistanceMax } from './lookup.ts'
import { hmaTypes, invalidSentence, readValue, typeNamed } from './signal-names.ts'

type Compared = [boolean, { distance?: number }]

/** For digests the distance is an empty object: there is none. */
export function compareAll(pairs: Record<string, unknown>): Record<string, Compared> {
  const entries = Object.entries(pairs)
  if (entries.length > hmaTypes.length) refuse(400, 'Too many signal types')
  return Object.fromEntries(entries.map(([name, pair]) => [name, compare(name, pair)]))
}

function compare(name: string, pair: unknown): Compared {
  if (!Array.isArray(pair))
    return refuse(400, `Comparison hashes for ${name.slice(0, 100)} was not a list`)
  if (pair.length !== 2) return refuse(400, 'Comparison hash list length must be exactly 2')
  const type = typeNamed(name) ?? refuse(400, `No such SignalType ${quoted(name)}`)
  const [a, b] = pair.map((one: unknown) => {
    const value = typeof one === 'string' ? readValue(type, one) : undefined
    return value ?? refuse(400, `Invalid ${name} hash: ${invalidSentence(type)}`)
  }) as [string, string]
  if (!isPerceptual(type.ours)) return [a === b, {}]
  const distance = bitsBetween(a, b)
  return [distance <= within[type.ours], { distance }]
}

const within: Record<PerceptualType, number> = {
  pdq: pdqDistanceMax,
  clip: policyDefaults.clipDistanceMax,
}

function bitsBetween(a: string, b: string): number {
  const other = Buffer.from(b, 'hex')
  let bits = 0
  for (const [at, byte] of Buffer.from(a, 'hex').entries()) {
    for (let rest = byte ^ (other[at] ?? 0); rest > 0; rest &= rest - 1) bits += 1
  }
  return bits
}
