// What people type, turned into values. Every mistake is a UsageError with the rule in it.
import { signalTypes } from '../domain/blob.ts'
import type { AnySignalType } from '../domain/blob.ts'
import { UsageError } from '../domain/errors.ts'
import { typesInWords } from '../domain/other-type.ts'
import type { OtherTypes } from '../domain/other-type.ts'

const unitMs = { m: 60_000, h: 3_600_000, d: 86_400_000, w: 7 * 86_400_000 } as const

export function parseWhole(
  text: string,
  what: string,
  { min, max }: { min: number; max: number },
): number {
  const value = Number(text)
  if (!/^\d{1,15}$/.test(text) || value < min || value > max) {
    throw new UsageError(`${what} is a whole number from ${min} to ${max}`)
  }
  return value
}

export function parseOneOf<const T extends string>(
  text: string,
  what: string,
  allowed: readonly T[],
): T {
  const value = allowed.find((one) => one === text)
  if (value === undefined) throw new UsageError(`${what} is one of ${allowed.join(', ')}`)
  return value
}

/** Ours, or of a configured plug-in. */
export function parseType(text: string, others: OtherTypes): AnySignalType {
  const type = signalTypes.find((one) => one === text) ?? others.get(text)?.type
  if (type === undefined)
    throw new UsageError(`--type ${text} is no signal type: ${typesInWords(others)}`)
  return type
}

/** `a,b` as a list of known words, each once. */
export function parseList<const T extends string>(
  text: string,
  what: string,
  allowed: readonly T[],
): T[] {
  const words = text.split(',').map((word) => word.trim())
  const stranger = words.find((word) => !allowed.some((one) => one === word))
  if (stranger !== undefined && /^[a-z][a-z:_-]{0,30}$/.test(stranger)) {
    throw new UsageError(`${what}: ${stranger} is none of ${allowed.join(', ')}`)
  }
  return [...new Set(words.map((word) => parseOneOf(word, what, allowed)))]
}

/** `90m`, `12h`, `7d`, `2w` in milliseconds. */
export function parseDuration(text: string, what: string): number {
  const [, count, unit] = /^(\d{1,6})([mhdw])$/.exec(text) ?? []
  if (count === undefined || unit === undefined || Number(count) === 0) {
    throw new UsageError(`${what} is a number with a unit: 90m, 12h, 7d or 2w`)
  }
  return Number(count) * unitMs[unit as keyof typeof unitMs]
}

/** A duration back from now, or a day (2026-11-01, UTC). */
export function parseSince(text: string, what: string, nowMs: number): Date {
  if (/^\d{4}-\d{2}-\d{2}$/.test(text)) {
    const day = new Date(`${text}T00:00:00Z`)
    if (!Number.isNaN(day.getTime())) return day
  }
  if (!/^\d{1,6}[mhdw]$/.test(text)) {
    throw new UsageError(`${what} is a span back from now (7d, 12h) or a day like 2026-11-01`)
  }
  return new Date(nowMs - parseDuration(text, what))
}

/** A moment: ISO with a zone, a day (UTC), or a span back from now. */
export function parseMoment(text: string, what: string, nowMs: number): Date {
  if (/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d{1,3})?)?(Z|[+-]\d{2}:\d{2})$/.test(text)) {
    const at = new Date(text)
    if (!Number.isNaN(at.getTime())) return at
  }
  if (/^\d{4}-\d{2}-\d{2}$/.test(text) || /^\d{1,6}[mhdw]$/.test(text)) {
    return parseSince(text, what, nowMs)
  }
  throw new UsageError(
    `${what} is a time like 2026-11-01T12:00Z, a day like 2026-11-01, or a span back from now (7d, 24h)`,
  )
}
