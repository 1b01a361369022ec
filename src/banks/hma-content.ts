// One content of HMA as it comes into ours, and everything of it that cannot. Pure.
import { hash } from 'node:crypto'
import { parseSignal, refusalOf, refusalSentences } from './new-signal.ts'
import type { NewSignal, SignalRefusal } from './new-signal.ts'
import type { HmaRow } from './hma-rows.ts'
import { noOtherTypes } from '../domain/other-type.ts'
import { UsageError } from '../domain/errors.ts'

/** HMA's types that we hold, and their names here. */
export const hmaTypes = {
  pdq: 'pdq',
  md5: 'video_md5',
  sha256: 'video_sha256',
  clip: 'clip',
} as const

type Column = keyof typeof hmaTypes
const columns = Object.keys(hmaTypes) as Column[]

/** What stays behind. `content …`: the whole content does. */
export type LeftOut =
  | `signal of type ${string}`
  | `${string} that is not hex of the right length`
  | `${string} refused: ${SignalRefusal}`
  | 'content without a signal that we hold'
  | 'content of a bank that stays behind'
  | 'note too long'
  | 'metadata too long'
  | 'summary of a record too long'
  | 'text with a NUL or a lone surrogate, which was replaced'
  | 'metadata that our database does not hold'

/** As import_hma_page_v1 takes it, JSON; `state` is what tells whether HMA changed it since. */
export type HmaContent = {
  id: number
  bank: number
  state: string
  /** The JSON text of the whole. */
  json(isThere: boolean): string
}

export type TakenRow = { content: HmaContent | undefined; left: LeftOut[] }

/** `bankOf`: ours for HMA's number; undefined: that bank stays behind. `exchangeOf`: names by HMA's numbers. */
export function takeRow(
  row: HmaRow,
  names: {
    bankOf: (hmaId: number) => number | undefined
    exchangeOf: (hmaId: number) => string | undefined
  },
): TakenRow {
  const bank = names.bankOf(row.bank)
  if (bank === undefined)
    return { content: undefined, left: ['content of a bank that stays behind'] }
  const left: LeftOut[] = (row.others ?? '')
    .split(',')
    .filter((type) => type !== '')
    .map((type): LeftOut => `signal of type ${typeName(type)}`)
  const signals = columns.flatMap((column) => takeSignal(row, column, left))
  if (signals.length === 0) {
    left.push('content without a signal that we hold')
    return { content: undefined, left }
  }
  const words = takeWords(row, names.exchangeOf, left)
  return { content: toContent(row, bank, signals, words), left }
}

/** A type is the operator's own word, and no reason to print whatever is in the column. */
function typeName(type: string): string {
  return /^[a-z0-9_]{1,40}$/.test(type) ? type : 'of another name'
}

function takeSignal(row: HmaRow, column: Column, left: LeftOut[]): [Column, string][] {
  const value = row[column]
  if (value === null) return []
  const signal = parse({ type: column, value: value.trim() })
  if (signal === undefined) {
    left.push(`${hmaTypes[column]} that is not hex of the right length`)
    return []
  }
  const refusal = refusalOf(signal)
  if (refusal === undefined) return [[column, signal.value]]
  left.push(`${hmaTypes[column]} refused: ${refusal}`)
  return []
}

function parse(signal: NewSignal): NewSignal | undefined {
  try {
    return parseSignal(signal, noOtherTypes)
  } catch (error) {
    if (error instanceof UsageError) return undefined
    throw error
  }
}

type Words = {
  note: string | undefined
  metadata: string | undefined
  provenance: string | undefined
}

function takeWords(
  row: HmaRow,
  exchangeOf: (hmaId: number) => string | undefined,
  left: LeftOut[],
): Words {
  const replaced = { any: false }
  const kept = (text: string | null) => {
    const stored = storableJson(text, replaced)
    if (stored !== 'unstorable') return stored.json
    left.push('metadata that our database does not hold')
    return undefined
  }
  if (row.noteTooLong === true) left.push('note too long')
  if (row.metadataTooLong === true) left.push('metadata too long')
  if (row.summaryTooLong === true) left.push('summary of a record too long')
  const summary = kept(row.summary)
  const hma =
    row.record === null || row.collab === null
      ? undefined
      : `{"record":${row.record},"exchange":${JSON.stringify(exchangeOf(row.collab) ?? '')},"fetchId":${JSON.stringify(row.fetchId)}${summary === undefined ? '' : `,"summary":${summary}`}}`
  const parts = [
    ...(hma === undefined ? [] : [`"hma":${hma}`]),
    ...(row.uri === null ? [] : [`"originalUri":${JSON.stringify(row.uri)}`]),
  ]
  const words = {
    note: row.note ?? undefined,
    metadata: kept(row.metadata),
    provenance: parts.length === 0 ? undefined : `{${parts.join(',')}}`,
  }
  if (replaced.any) left.push('text with a NUL or a lone surrogate, which was replaced')
  return words
}

/** Exponents that a jsonb number does not hold, or hardly; strings, so that what looks like one in them is none. */
const bigNumber = /"(?:[^"\\]|\\.)*"|\d[eE][+-]?\d{4,}/g

/**
 * What our jsonb takes; HMA's json keeps everything as it was typed. No `json`: SQLAlchemy writes None as JSON's null.
 * `replaced`: told that something of it was. All other text stays as it is, digits and all.
 */
export function storableJson(
  text: string | null,
  replaced: { any: boolean },
): { json: string | undefined } | 'unstorable' {
  if (text === null || text === 'null') return { json: undefined }
  if (/\d[eE][+-]?\d{4}/.test(text) && (text.match(bigNumber) ?? []).some((one) => one[0] !== '"'))
    return 'unstorable'
  if (!/\\u(0000|d[89a-f])/i.test(text)) return { json: text }
  try {
    const before = JSON.stringify(JSON.parse(text))
    const after = JSON.stringify(JSON.parse(text, (_, value: unknown) => storable(value)))
    if (before !== after) replaced.any = true
    return { json: after }
  } catch (error) {
    // Nested by the thousand.
    if (error instanceof RangeError) return 'unstorable'
    throw error
  }
}

function storable(value: unknown): unknown {
  if (typeof value === 'string') return storableText(value)
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [storableText(key), inner]))
}

function storableText(text: string): string {
  return text.toWellFormed().replaceAll('\0', '\ufffd')
}

const keys = { pdq: 'h', md5: 'v', sha256: 'x', clip: 'l' } as const satisfies Record<
  Column,
  string
>

function toContent(
  row: HmaRow,
  bank: number,
  signals: [Column, string][],
  { note, metadata, provenance }: Words,
): HmaContent {
  const disableUntilTs = Math.max(0, row.disableUntilTs ?? 1)
  const signalJson = signals.map(([column, value]) => `,"${keys[column]}":"${value}"`).join('')
  const rest =
    (note === undefined ? '' : `,"n":${JSON.stringify(note)}`) +
    (metadata === undefined ? '' : `,"m":${metadata}`) +
    (provenance === undefined ? '' : `,"p":${provenance}`) +
    signalJson
  const ts = disableUntilTs.toString(16).padStart(16, '0')
  const state = ts + hash('sha256', `${row.bank}${rest}`, 'hex').slice(0, 32)
  const created = JSON.stringify(row.created ?? '1970-01-01T00:00:00Z')
  return {
    id: row.id,
    bank,
    state,
    json: (isThere) =>
      `{"i":${row.id},"b":${bank}${isThere ? ',"k":true' : ''},"t":${disableUntilTs},"a":${created},"d":"${state}"${rest}}`,
  }
}

/** Why, for people. Without a value and without a name of a restricted bank. */
export function leftOutSentence(reason: string): string {
  const [, type, refusal] = /^(\w+) refused: ([a-z-]+)$/.exec(reason) ?? []
  const sentence = refusalSentences[refusal as SignalRefusal] as string | undefined
  return sentence === undefined ? reason : `${type}: ${sentence}`
}
