// What comes out of decoding one image, and the border where the parent parses what a child says. A child that was taken
// over by an image can at most lie in these few fields about that image.
import { pdqQualityMin } from '../domain/blob.ts'
import type { ContentReason, PdqVariant } from '../domain/blob.ts'
import { variants as variantNames } from '../domain/variant.ts'
import type { Pdq } from './pdq/hash.ts'
import { sideMax } from './picture-limits.ts'

export const decodeReasons = [
  'unsupported-format',
  'corrupt',
  'too-many-pixels',
  'decoder-memory',
  'decoder-timeout',
  'decoder-crash',
] as const satisfies ContentReason[]
export type DecodeReason = (typeof decodeReasons)[number]

/**
 * `variants`: the other looks that are worth comparing (pdq/looks.ts).
 * `animated`: there are more frames than the first, which is the one that was hashed.
 * `malformed`: decodes only with its errors overlooked, as browsers do it.
 */
export type DecodeOutcome =
  | {
      kind: 'decoded'
      width: number
      height: number
      pdq: Pdq
      variants: PdqVariant[]
      animated: boolean
      malformed: boolean
    }
  | { kind: 'failed'; reason: DecodeReason }

/** `kernel`: pictures are hashed by WebAssembly; false where there is none, which only costs time. */
export type ReadyAnswer = { kind: 'ready'; kernel: boolean }

/** undefined for anything that is not exactly a child's first answer. */
export function parseReady(bytes: Buffer): ReadyAnswer | undefined {
  const { kind, kernel } = parseJson(bytes) ?? {}
  return kind === 'ready' && typeof kernel === 'boolean' ? { kind, kernel } : undefined
}

/** undefined for anything that is not exactly an outcome. */
export function parseOutcome(bytes: Buffer): DecodeOutcome | undefined {
  const value = parseJson(bytes)
  if (value === undefined) return undefined
  if (value['kind'] === 'failed') {
    const reason = decodeReasons.find((reason) => reason === value['reason'])
    return reason === undefined ? undefined : { kind: 'failed', reason }
  }
  const { kind, width, height, animated, malformed } = value
  if (kind !== 'decoded' || !isWhole(width, 1, sideMax) || !isWhole(height, 1, sideMax))
    return undefined
  if (typeof animated !== 'boolean' || typeof malformed !== 'boolean') return undefined
  const pdq = parsePdq(value['pdq'], 0)
  const variants = parseVariants(value['variants'])
  if (pdq === undefined || variants === undefined) return undefined
  return { kind, width, height, pdq, variants, animated, malformed }
}

/** Each name at most once and never `original`, so there are at most 31. */
function parseVariants(value: unknown): PdqVariant[] | undefined {
  if (!Array.isArray(value) || value.length >= variantNames.length) return undefined
  const parsed = new Map<string, PdqVariant>()
  for (const item of value as unknown[]) {
    const pdq = parsePdq(item, pdqQualityMin)
    const name = isRecord(item) ? item['variant'] : undefined
    const variant = variantNames.find((variant) => variant === name)
    if (pdq === undefined || variant === undefined || variant === 'original') return undefined
    parsed.set(variant, { variant, ...pdq })
  }
  return parsed.size === value.length ? [...parsed.values()] : undefined
}

function parsePdq(value: unknown, qualityMin: number): Pdq | undefined {
  if (!isRecord(value)) return undefined
  const { hash, quality } = value
  if (typeof hash !== 'string' || !/^[0-9a-f]{64}$/.test(hash)) return undefined
  return isWhole(quality, qualityMin, 100) ? { hash, quality } : undefined
}

function parseJson(bytes: Buffer): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(bytes.toString('utf8'))
    return isRecord(value) ? value : undefined
  } catch {
    // Not JSON: the caller treats it like any other answer that is not an outcome.
    return undefined
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}

function isWhole(value: unknown, min: number, max: number): value is number {
  return Number.isInteger(value) && (value as number) >= min && (value as number) <= max
}
