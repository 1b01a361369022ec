// Reads all signals of all banks for an index that begins empty.
//
// Promises: exactly the signals that were there at generation g, although banks change meanwhile: a signal is added once
// and removed once, so its row tells for ever whether it belongs to g. Pages by id, packed by Postgres: no object per
// signal here, none there, and no statement that lasts long. A failure throws; nothing is taken up half-way.
import type { Database } from '../db/client.ts'
import { signalTypes } from '../domain/blob.ts'
import type { SignalType } from '../domain/blob.ts'
import { signalBytes } from '../domain/signal-batch.ts'
import type { SignalBatch } from '../domain/signal-batch.ts'
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
  /** Rows whose type this build does not know, or whose length is not their type's. */
  skipped: number
}

/** The signals of generation `generation`, each once. The head must have been there before the call. */
export async function* readSignals(
  db: Database,
  generation: number,
  onPage: (progress: LoadProgress) => void = () => undefined,
): AsyncGenerator<SignalBatch> {
  const bounds = await readBounds(db)
  const banksOf = await readContentBanks(db)
  const ranges = idRanges(bounds.first, bounds.last, loaderLimits.pageIds)
  const progress = { signals: 0, percent: 0, skipped: 0 }
  let pages = 0
  let usual: SignalType | undefined
  for await (const page of readInOrder(ranges, (range) =>
    readPage(db, { generation, range, usual }),
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
    onPage(progress)
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
  only: SignalType | undefined
}
type Asked = { generation: number; range: IdRange; usual: SignalType | undefined }

/** What is cheap to ask first, what is right always. Lists come with one type of signal mostly. */
async function readPage(db: Database, asked: Asked): Promise<Page> {
  const ofUsual = asked.usual && (await readOneType(db, asked, asked.usual))
  const found = ofUsual ?? (await readTypes(db, asked))
  if (found.every(isWhole)) return { signals: found, skipped: 0, only: onlyType(found) }
  const signals = (await readTypes(db, asked, { ofLength: true })).filter(isWhole)
  return { signals, skipped: countOf(found) - countOf(signals), only: undefined }
}

/** undefined: there are others too. */
async function readOneType(
  db: Database,
  asked: Asked,
  type: SignalType,
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
      where ${isAsked(asked)} ${ofLength ? `and ${isOfLength}` : ''} group by type`,
    ),
  )
  return rows.map(([pairs, values, type]) =>
    toPacked((type as Buffer).toString('utf8'), pairs as Buffer, values),
  )
}

const packed = `string_agg(int8send(id::int8 << 32 | content), ''), string_agg(value, '')`

/** To ask for it in the first place would cost a fifth of the load. */
const isOfLength = `octet_length(value) = case type
  ${signalTypes.map((type) => `when '${type}' then ${signalBytes[type]}`).join(' ')} end`

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

function onlyType(found: Packed[]): SignalType | undefined {
  const [first, ...more] = found
  return more.length > 0 ? undefined : signalTypes.find((type) => type === first?.type)
}

function countOf(found: Packed[]): number {
  return found.reduce((sum, { signalIds }) => sum + signalIds.length, 0)
}
