// Reads all signals of all banks for an index that begins empty.
//
// Promises: exactly the signals that were there at generation g, although banks change meanwhile: a signal is added once
// and removed once, so its row tells for ever whether it belongs to g. Pages by id, packed by Postgres: no object per
// signal here, none there, and no statement that lasts long. A failure throws; nothing is taken up half-way.
import type { Database } from '../db/client.ts'
import { noOtherTypes, typesWith } from '../domain/other-type.ts'
import type { OtherTypes } from '../domain/other-type.ts'
import { bytesOfType } from '../domain/signal-batch.ts'
import type { AnyBatch } from '../domain/signal-batch.ts'
import { copyRows, literal } from './bank-loader-copy.ts'
import {
  idRanges,
  isWhole,
  loaderLimits,
  read,
  readInOrder,
  toBatch,
  toIdPairs,
} from './bank-loader-packed.ts'
import type { IdRange, Packed } from './bank-loader-packed.ts'
import { readContentBanks } from './bank-loader-contents.ts'

export type LoadProgress = {
  signals: number
  /** Of the ids looked through, 0 to 100. */
  percent: number
  /** Rows whose type is neither ours nor configured, or whose length is not their type's. */
  skipped: number
}

/** The signals of generation `generation`, each once. The head must have been there before the call. */
export async function* readSignals(
  db: Database,
  generation: number,
  options: { others?: OtherTypes; onPage?: (progress: LoadProgress) => void } = {},
): AsyncGenerator<AnyBatch> {
  const { others = noOtherTypes, onPage } = options
  const bounds = await readBounds(db)
  const banksOf = await readContentBanks(db)
  const ranges = idRanges(bounds.first, bounds.last, loaderLimits.pageIds)
  const progress = { signals: 0, percent: 0, skipped: 0 }
  let pages = 0
  let usual: string | undefined
  for await (const page of readInOrder(ranges, (range) =>
    readPage(db, { generation, range, usual, others }),
  )) {
    pages += 1
    usual = page.only
    progress.skipped += page.skipped
    for (const packed of page.signals) {
      const batch = toBatch(packed, banksOf(packed.contentIds))
      progress.signals += batch.count
      yield batch
    }
    const through = Math.min(pages * loaderLimits.pageIds, bounds.last - bounds.first + 1)
    progress.percent = Math.floor((through / (bounds.last - bounds.first + 1)) * 100)
    onPage?.(progress)
  }
}

async function readBounds(db: Database): Promise<{ first: number; last: number }> {
  const [row] = await read(
    'read the bounds of the bank signals',
    db<{ first: number | null; last: number | null }[]>`
      select min(id) as first, max(id) as last from bank_signal`,
  )
  return { first: row?.first ?? 1, last: row?.last ?? 0 }
}

type Page = {
  signals: Packed[]
  skipped: number
  /** The type of all of them. */
  only: string | undefined
}
type Asked = { generation: number; range: IdRange; usual: string | undefined; others: OtherTypes }

/** What is cheap to ask first, what is right always. Lists come with one type of signal mostly. */
async function readPage(db: Database, asked: Asked): Promise<Page> {
  const ofUsual = asked.usual === undefined ? undefined : await readOneType(db, asked, asked.usual)
  const found = ofUsual ?? (await readTypes(db, asked))
  const isWholeHere = (some: Packed) => isWhole(some, asked.others)
  if (found.every(isWholeHere)) return { signals: found, skipped: 0, only: onlyType(found) }
  const signals = (await readTypes(db, asked, { ofLength: true })).filter(isWholeHere)
  return { signals, skipped: countOf(found) - countOf(signals), only: undefined }
}

/** undefined: there are others too. */
async function readOneType(
  db: Database,
  asked: Asked,
  type: string,
): Promise<Packed[] | undefined> {
  const rows = await read(
    'read bank signals',
    copyRows(
      db,
      `select ${packed}, count(*) filter (where type <> '${type}')
      from bank_signal where ${isAsked(asked)}`,
    ),
  )
  const [pairs, values, others] = rows[0] ?? []
  if (others?.readBigInt64BE() !== 0n) return undefined
  return pairs === undefined ? [] : [toPacked(type, pairs, values)]
}

async function readTypes(
  db: Database,
  asked: Asked,
  { ofLength } = { ofLength: false },
): Promise<Packed[]> {
  const rows = await read(
    'read bank signals',
    copyRows(
      db,
      `select ${packed}, type from bank_signal
      where ${isAsked(asked)} ${ofLength ? `and ${isOfLength(asked.others)}` : ''} group by type`,
    ),
  )
  return rows.map(([pairs, values, type]) =>
    toPacked((type as Buffer).toString('utf8'), pairs as Buffer, values),
  )
}

const packed = `string_agg(int8send(id::int8 << 32 | content), ''), string_agg(value, '')`

/** To ask for it in the first place would cost a fifth of the load. */
function isOfLength(others: OtherTypes): string {
  return `octet_length(value) = case type
    ${typesWith(others)
      .map((type) => `when '${type}' then ${bytesOfType(type, others)}`)
      .join(' ')} end`
}

/** `+ 0`: always by id, whatever the planner thinks of generations. */
function isAsked({ generation, range }: Asked): string {
  const through = literal(generation)
  return `id >= ${literal(range.from)} and id < ${literal(range.to)} and added_generation + 0 <= ${through}
    and (removed_generation is null or removed_generation + 0 > ${through})`
}

function toPacked(type: string, pairs: Buffer, values: Uint8Array = new Uint8Array()): Packed {
  const [signalIds, contentIds] = toIdPairs(pairs)
  return { type, signalIds, contentIds, values }
}

/** Of what is whole: its name is ours or a manifest's, and goes into a statement as it is. */
function onlyType(found: Packed[]): string | undefined {
  const [first, ...more] = found
  return more.length > 0 ? undefined : first?.type
}

function countOf(found: Packed[]): number {
  return found.reduce((sum, { signalIds }) => sum + signalIds.length, 0)
}
