// An item of a list as an import stages it, and every reason why one cannot be. Pure.
import { createHash } from 'node:crypto'
import { signalTypes } from '../domain/blob.ts'
import type { AnySignalType, SignalType } from '../domain/blob.ts'
import { digitsOf } from '../domain/other-type.ts'
import type { OtherTypes } from '../domain/other-type.ts'
import { checkMetadata, parseNote } from './content-words.ts'
import { refusalOf, refusalSentences } from './new-signal.ts'
import type { NewSignal, SignalRefusal } from './new-signal.ts'

export const listLimits = {
  lineChars: 65_536,
  lines: 50_000_000,
  idChars: 200,
  signals: 20,
} as const

export type ListRefusal =
  | SignalRefusal
  | 'unreadable'
  | 'columns'
  | 'unknown-field'
  | 'no-signal'
  | 'bad-signal'
  | 'unknown-type'
  | 'bad-id'
  | 'bad-quality'
  | 'bad-note'
  | 'bad-metadata'
  | 'bad-disable-until'
  | 'harmless'
  | 'id-twice'

export const listRefusalSentences: Record<ListRefusal, string> = {
  ...refusalSentences,
  unreadable: `neither CSV nor JSON, or longer than ${listLimits.lineChars} characters`,
  columns: 'another number of columns than the header',
  'unknown-field': 'a field that is not known (id, signals, quality, note, metadata, disableUntil)',
  'no-signal': 'no signal',
  'bad-signal': 'a value that is not hex of the right length',
  'unknown-type': `a signal type that is not known (${signalTypes.join(', ')}, or of a configured plug-in)`,
  'bad-id': `an id is a text of 1 to ${listLimits.idChars} characters that does not begin with #`,
  'bad-quality': 'a quality is a whole number from 0 to 100',
  'bad-note': 'a note that is too long or cannot be kept',
  'bad-metadata': 'metadata that is no JSON object, or too long',
  'bad-disable-until': 'disable until is 0, 1 or a time in unix seconds',
  harmless: 'a harmless picture would match: bank add asks a second person',
  'id-twice': 'the id of an earlier line of this list',
}

/** What a line says, not checked yet. */
export type RawItem = {
  id?: unknown
  /** Values by type; each a text or texts. */
  signals: readonly (readonly [string, unknown])[]
  /** Of the PDQ hashes, in their order. */
  quality?: unknown
  note?: unknown
  metadata?: unknown
  disableUntil?: unknown
}

/**
 * Both `item` and `refused`: that signal was left out, the others stay. `key`: of a refused line that says whose it is.
 */
export type ReadItem = { item?: ListItem; refused?: ListRefusal; key?: string }

export type ListItem = {
  key: string
  signals: NewSignal[]
  note?: string
  metadata?: object
  disableUntilTs: number
}

/** Ours, and HMA's names for the same digest. */
const typeNames: ReadonlyMap<string, SignalType> = new Map([
  ...signalTypes.map((type) => [type, type] as const),
  ['video_md5', 'md5'],
  ['raw_md5', 'md5'],
  ['raw_sha1', 'sha1'],
  ['raw_sha256', 'sha256'],
])

/** In whatever case, with HMA's names. undefined: neither ours nor of a configured plug-in. */
export function typeNamed(name: string, others: OtherTypes): AnySignalType | undefined {
  const named = name.trim().toLowerCase()
  return typeNames.get(named) ?? others.get(named)?.type
}

export function readItem(raw: RawItem, others: OtherTypes): ReadItem {
  const id = isAbsent(raw.id) ? undefined : readId(raw.id)
  if (id === null) return { refused: 'bad-id' }
  const signals = readSignals(raw, others)
  if (typeof signals === 'string') return { refused: signals, ...(id !== undefined && { key: id }) }
  // Of the signals that were given, not of those that are left: rules may change, the item is the same.
  const key = id ?? keyOf(signals)
  const disableUntilTs = readUntil(raw.disableUntil)
  if (disableUntilTs === undefined) return { refused: 'bad-disable-until', key }
  const note = isAbsent(raw.note) ? undefined : tried(() => parseNote(textOf(raw.note)))
  if (note === null) return { refused: 'bad-note', key }
  const metadata = isAbsent(raw.metadata) ? undefined : tried(() => readMetadata(raw.metadata))
  if (metadata === null) return { refused: 'bad-metadata', key }

  const refusals = signals.map(refusalOf)
  const left = signals.filter((_, index) => refusals[index] === undefined)
  const refusal = refusals.find((one) => one !== undefined)
  const refused = refusal !== undefined && { refused: refusal }
  if (left.length === 0) return { ...refused, key }
  const item = {
    key,
    signals: left,
    disableUntilTs,
    ...(note !== undefined && { note }),
    ...(metadata !== undefined && { metadata }),
  }
  return { item, ...refused }
}

/** The name of an item that its list gives none: the same signals, the same name. Not a value, and no way back to one. */
export function keyOf(signals: readonly NewSignal[]): string {
  const text = signals.map(({ type, value }) => `${type}:${value}`).toSorted()
  return `#${createHash('sha256').update(text.join(' ')).digest('hex').slice(0, 32)}`
}

function readId(id: unknown): string | null {
  const text = typeof id === 'number' ? String(id) : id
  if (typeof text !== 'string' || text.length > listLimits.idChars) return null
  return /^[^#\0\s][^\0]*$/.test(text) && text.isWellFormed() ? text : null
}

function readSignals(raw: RawItem, others: OtherTypes): NewSignal[] | ListRefusal {
  const signals: NewSignal[] = []
  const qualities = listOf(raw.quality)
  for (const [name, values] of raw.signals) {
    const type = typeNamed(name, others)
    if (type === undefined) return 'unknown-type'
    const digits = digitsOf(type, others)
    for (const value of listOf(values)) {
      if (typeof value !== 'string') return 'bad-signal'
      const hex = value.toLowerCase()
      if (hex.length !== digits || !/^[0-9a-f]+$/.test(hex)) return 'bad-signal'
      const quality = type === 'pdq' ? (qualities.shift() ?? unknownQuality) : unknownQuality
      if (quality !== unknownQuality && !isQuality(quality)) return 'bad-quality'
      const known = quality !== unknownQuality && { quality: Number(quality) }
      signals.push({ type, value: hex, ...known })
    }
  }
  if (qualities.length > 0) return 'bad-quality'
  if (signals.length === 0) return 'no-signal'
  return signals.length > listLimits.signals ? 'bad-signal' : signals
}

/** Stands for the quality of one hash of several where it is not known. */
export const unknownQuality = '-'

function isQuality(given: unknown): boolean {
  const number = typeof given === 'string' && !/^\d{1,3}$/.test(given) ? Number.NaN : Number(given)
  return Number.isInteger(number) && number >= 0 && number <= 100
}

/** A text with spaces is several; so is an array; absent is none. */
function listOf(value: unknown): unknown[] {
  if (isAbsent(value)) return []
  if (Array.isArray(value)) return [...(value as unknown[])]
  return typeof value === 'string' ? value.trim().split(/\s+/) : [value]
}

function readUntil(value: unknown): number | undefined {
  if (isAbsent(value)) return 1
  const number = typeof value === 'string' && !/^\d{1,12}$/.test(value) ? Number.NaN : Number(value)
  return Number.isSafeInteger(number) && number >= 0 && number < 1e12 ? number : undefined
}

function readMetadata(value: unknown): object {
  return checkMetadata(typeof value === 'string' ? JSON.parse(value) : value)
}

function textOf(value: unknown): string {
  if (typeof value !== 'string') throw new TypeError('not a text')
  return value
}

function isAbsent(value: unknown): boolean {
  return value === undefined || value === null || value === ''
}

function tried<T>(read: () => T): T | null {
  try {
    return read()
  } catch {
    return null
  }
}
