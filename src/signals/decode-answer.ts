// What comes out of decoding one image, and the border where the parent parses what a child says. A child that was taken
// over by an image can at most lie in these few fields about that image.
import type { ContentReason } from '../domain/blob.ts'
import type { Pdq } from './pdq/hash.ts'

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
 * `animated`: there are more frames than the first, which is the one that was hashed.
 * `malformed`: decodes only with its errors overlooked, as browsers do it.
 */
export type DecodeOutcome =
  | {
      kind: 'decoded'
      width: number
      height: number
      pdq: Pdq
      animated: boolean
      malformed: boolean
    }
  | { kind: 'failed'; reason: DecodeReason }

export const sideMax = 20_000
export const pixelsMax = 50_000_000

/** undefined for anything that is not exactly an outcome. */
export function parseOutcome(bytes: Buffer): DecodeOutcome | undefined {
  const value = parseJson(bytes)
  if (value === undefined) return undefined
  if (value['kind'] === 'failed') {
    const reason = decodeReasons.find((reason) => reason === value['reason'])
    return reason === undefined ? undefined : { kind: 'failed', reason }
  }
  const { kind, width, height, pdq, animated, malformed } = value
  if (kind !== 'decoded' || !isWhole(width, 1, sideMax) || !isWhole(height, 1, sideMax))
    return undefined
  if (typeof animated !== 'boolean' || typeof malformed !== 'boolean' || !isRecord(pdq))
    return undefined
  const { hash, quality } = pdq
  if (typeof hash !== 'string' || !/^[0-9a-f]{64}$/.test(hash) || !isWhole(quality, 0, 100))
    return undefined
  return { kind, width, height, pdq: { hash, quality }, animated, malformed }
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
