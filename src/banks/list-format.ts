// Lists of known items as files: CSV and JSON Lines, in and out. What goes out comes back equal.
import { signalTypes } from '../domain/blob.ts'
import type { AnySignalType } from '../domain/blob.ts'
import { typesWith } from '../domain/other-type.ts'
import type { OtherTypes } from '../domain/other-type.ts'
import { UsageError } from '../domain/errors.ts'
import { csvLine, csvRecords } from './csv.ts'
import { linesOf } from './lines.ts'
import { listLimits, readItem, unknownQuality } from './list-item.ts'
import type { ListItem, RawItem, ReadItem } from './list-item.ts'

export const listFormats = ['csv', 'jsonl'] as const
export type ListFormat = (typeof listFormats)[number]

/** `lastLine`: the last line of the file that it is on; the next item begins after it. */
export type ReadLine = ReadItem & { line: number; lastLine: number }

/** Throws UsageError for a file that has no usable header, or more lines than `listLimits.lines`. */
export async function* readList(
  chunks: AsyncIterable<Uint8Array>,
  format: ListFormat,
  /** The types of plug-ins that it may hold. */
  others: OtherTypes,
): AsyncGenerator<ReadLine> {
  const lines = linesOf(chunks, listLimits.lineChars)
  for await (const read of format === 'csv'
    ? readCsv(lines, others)
    : readJsonLines(lines, others)) {
    if (read.lastLine > listLimits.lines)
      throw new UsageError(`a list has ${listLimits.lines} lines at most`)
    yield read
  }
}

async function* readJsonLines(
  lines: AsyncIterable<string | undefined>,
  others: OtherTypes,
): AsyncGenerator<ReadLine> {
  let line = 0
  for await (const text of lines) {
    line += 1
    const where = { line, lastLine: line }
    if (text === undefined) yield { ...where, refused: 'unreadable' }
    else if (text.trim() !== '') yield { ...where, ...readJson(text, others) }
  }
}

const jsonFields = ['id', 'signals', 'quality', 'note', 'metadata', 'disableUntil']

function readJson(text: string, others: OtherTypes): ReadItem {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return { refused: 'unreadable' }
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return { refused: 'unreadable' }
  if (Object.keys(value).some((field) => !jsonFields.includes(field)))
    return { refused: 'unknown-field' }
  const { signals = {}, ...rest } = value as Omit<RawItem, 'signals'> & { signals?: unknown }
  if (typeof signals !== 'object' || signals === null) return { refused: 'no-signal' }
  return readItem({ ...rest, signals: Object.entries(signals) }, others)
}

type Column =
  'id' | 'quality' | 'note' | 'metadata' | 'disableUntil' | 'type' | 'value' | AnySignalType

const columnNames: ReadonlyMap<string, Column> = new Map<string, Column>([
  ...signalTypes.map((type) => [type, type] as const),
  ...(['id', 'quality', 'note', 'metadata', 'type', 'value'] as const).map(
    (name) => [name, name] as const,
  ),
  ['disable_until_ts', 'disableUntil'],
  ['signal_type', 'type'],
  ['hash', 'value'],
])

async function* readCsv(
  lines: AsyncIterable<string | undefined>,
  others: OtherTypes,
): AsyncGenerator<ReadLine> {
  let header: Column[] | undefined
  for await (const { fields, line, lastLine } of csvRecords(lines, listLimits.lineChars)) {
    if (header === undefined) header = readHeader(fields, others)
    else if (fields === undefined) yield { line, lastLine, refused: 'unreadable' }
    else if (fields.length !== header.length) yield { line, lastLine, refused: 'columns' }
    else yield { line, lastLine, ...readItem(rawItem(header, fields, others), others) }
  }
  if (header === undefined) throw new UsageError('the list is empty')
}

function readHeader(fields: string[] | undefined, others: OtherTypes): Column[] {
  const columns = (fields ?? []).map((field) => {
    const name = field.trim().toLowerCase()
    return columnNames.get(name) ?? others.get(name)?.type
  })
  const known = columns.filter((column) => column !== undefined)
  const hasSignals =
    known.some((column) => typesWith(others).some((type) => type === column)) ||
    (known.includes('type') && known.includes('value'))
  if (known.length !== columns.length || new Set(known).size < known.length || !hasSignals) {
    throw new UsageError(
      `a CSV list begins with a header row of these columns: id, ${typesWith(others).join(', ')} (or type and value), quality, note, metadata, disable_until_ts`,
    )
  }
  return known
}

function rawItem(
  header: readonly Column[],
  fields: readonly string[],
  others: OtherTypes,
): RawItem {
  const of = (column: Column) => {
    const at = header.indexOf(column)
    return at === -1 ? undefined : fields[at]
  }
  const typed = typesWith(others).flatMap((type) => {
    const value = of(type)
    return value === undefined || value.trim() === '' ? [] : [[type, value] as const]
  })
  const type = of('type')
  return {
    id: of('id'),
    signals: type === undefined ? typed : [...typed, [type, of('value')] as const],
    quality: of('quality'),
    note: of('note'),
    metadata: of('metadata'),
    disableUntil: of('disableUntil'),
  }
}

/** The first line of a file; undefined: it needs none. `types`: all that its items have. */
export function listHeader(
  format: ListFormat,
  types: readonly AnySignalType[],
): string | undefined {
  if (format === 'jsonl') return undefined
  return csvLine(['id', ...types, 'quality', 'note', 'metadata', 'disable_until_ts'])
}

/** `id`: absent where the signals name it. */
export type WrittenItem = Omit<ListItem, 'key'> & { id?: string | undefined }

export function listLine(
  item: WrittenItem,
  format: ListFormat,
  types: readonly AnySignalType[],
): string {
  return format === 'csv' ? csvItem(item, types) : jsonItem(item, types)
}

function csvItem(item: WrittenItem, types: readonly AnySignalType[]): string {
  const values = types.map((type) => valuesOf(item, type).join(' '))
  const qualities = qualitiesOf(item).map((quality) => quality ?? unknownQuality)
  return csvLine([
    item.id ?? '',
    ...values,
    qualities.join(' '),
    item.note ?? '',
    item.metadata === undefined ? '' : JSON.stringify(item.metadata),
    String(item.disableUntilTs),
  ])
}

function jsonItem(item: WrittenItem, types: readonly AnySignalType[]): string {
  const signals = types.flatMap((type) => {
    const values = valuesOf(item, type)
    return values.length === 0 ? [] : [[type, values.length === 1 ? values[0] : values] as const]
  })
  const qualities = qualitiesOf(item)
  return JSON.stringify({
    id: item.id,
    signals: Object.fromEntries(signals),
    ...(qualities.length > 0 && { quality: qualities.length === 1 ? qualities[0] : qualities }),
    note: item.note,
    metadata: item.metadata,
    ...(item.disableUntilTs !== 1 && { disableUntil: item.disableUntilTs }),
  })
}

function valuesOf({ signals }: WrittenItem, type: AnySignalType): string[] {
  return signals.filter((signal) => signal.type === type).map(({ value }) => value)
}

/** Of the PDQ hashes in their order; empty where none is known. */
function qualitiesOf({ signals }: WrittenItem): (number | null)[] {
  const qualities = signals
    .filter(({ type }) => type === 'pdq')
    .map(({ quality }) => quality ?? null)
  return qualities.every((quality) => quality === null) ? [] : qualities
}
