// /m/compare: two hashes with each other, no bank involved. Pure.
import { isPerceptual } from '../../domain/signal-kind.ts'
import type { PerceptualType } from '../../domain/signal-kind.ts'
import { policyDefaults } from '../../domain/bank.ts'
import { quoted, refuse } from './answers.ts'
import { pdqDistanceMax } from './lookup.ts'
import { invalidSentence, readValue, typeNamed } from './signal-names.ts'
import type { HmaType } from './signal-names.ts'

type Compared = [boolean, { distance?: number }]

/** For digests the distance is an empty object: there is none. */
export function compareAll(
  types: readonly HmaType[],
  pairs: Record<string, unknown>,
): Record<string, Compared> {
  const entries = Object.entries(pairs)
  if (entries.length > types.length) refuse(400, 'Too many signal types')
  return Object.fromEntries(entries.map(([name, pair]) => [name, compare(types, name, pair)]))
}

function compare(types: readonly HmaType[], name: string, pair: unknown): Compared {
  if (!Array.isArray(pair))
    return refuse(400, `Comparison hashes for ${name.slice(0, 100)} was not a list`)
  if (pair.length !== 2) return refuse(400, 'Comparison hash list length must be exactly 2')
  const type = typeNamed(types, name) ?? refuse(400, `No such SignalType ${quoted(name)}`)
  const [a, b] = pair.map((one: unknown) => {
    const value = typeof one === 'string' ? readValue(type, one) : undefined
    return value ?? refuse(400, `Invalid ${name} hash: ${invalidSentence(type)}`)
  }) as [string, string]
  const most = type.rule?.radius ?? (isPerceptual(type.ours) ? within[type.ours] : undefined)
  if (most === undefined) return [a === b, {}]
  const distance = bitsBetween(a, b)
  return [distance <= most, { distance }]
}

const within: Record<PerceptualType, number> = {
  pdq: pdqDistanceMax,
  clip: policyDefaults.clipDistanceMax,
}

/** Of two values in hex, as long as each other. */
export function bitsBetween(a: string, b: string): number {
  const other = Buffer.from(b, 'hex')
  let bits = 0
  for (const [at, byte] of Buffer.from(a, 'hex').entries()) {
    for (let rest = byte ^ (other[at] ?? 0); rest > 0; rest &= rest - 1) bits += 1
  }
  return bits
}
