// Reads what was added and removed between two generations, in pages that keep the process free in between.
import type { Database } from '../db/client.ts'
import type { OtherTypes } from '../domain/other-type.ts'
import type { AnyBatch } from '../domain/signal-batch.ts'
import {
  idRanges,
  isWhole,
  loaderLimits,
  read,
  readInOrder,
  toBatch,
  toIds,
} from './bank-loader-packed.ts'
import type { IdRange, Packed } from './bank-loader-packed.ts'

/** After `from`, up to and with `to`. */
export type Span = { from: number; to: number }

/** Signals that came and are still there, and signals that were there and went. Ids from `first` to `last`. */
export type Changes = { added: Extent; removed: Extent }
export type Extent = { count: number; first: number; last: number }

/** `min(id + 0)`: by the generations, and not through all ids until one of these generations comes. */
export async function readExtents(db: Database, { from, to }: Span): Promise<Changes> {
  const rows = await read(
    'read how much of the banks changed',
    db<({ isAdded: boolean } & Extent)[]>`
      select true as "isAdded", count(*) as count, coalesce(min(id + 0), 1) as first, coalesce(max(id + 0), 0) as last
      from bank_signal
      where added_generation > ${from} and added_generation <= ${to}
        and (removed_generation is null or removed_generation + 0 > ${to})
      union all
      select false, count(*), coalesce(min(id + 0), 1), coalesce(max(id + 0), 0)
      from bank_signal
      where removed_generation > ${from} and removed_generation <= ${to} and added_generation + 0 <= ${from}`,
  )
  const extentOf = (isAdded: boolean): Extent =>
    rows.find((row) => row.isAdded === isAdded) ?? { count: 0, first: 1, last: 0 }
  return { added: extentOf(true), removed: extentOf(false) }
}

export type AddedPage = {
  batches: AnyBatch[]
  /** The greatest id looked at. */
  through: number
  skipped: number
}

type Added = Packed & { bankIds: Uint32Array }

/** Pages of additions whose id is above `after`, in the order of ids. */
export async function* readAdded(
  db: Database,
  span: Span,
  extent: Extent,
  { others, after = 0 }: { others: OtherTypes; after?: number },
): AsyncGenerator<AddedPage> {
  const ranges = rangesOf({ ...extent, first: Math.max(extent.first, after + 1) })
  const pages = readInOrder(ranges, async (range) => ({
    rows: await readAddedPage(db, span, range),
    range,
  }))
  for await (const { rows, range } of pages) {
    const whole = rows.filter((row) => isWhole(row, others))
    const count = (some: Added[]) => some.reduce((sum, row) => sum + row.signalIds.length, 0)
    yield {
      batches: whole.map((row) => toBatch(row, row.bankIds)),
      through: range.to - 1,
      skipped: count(rows) - count(whole),
    }
  }
}

/** Pages of removals. */
export async function* readRemoved(
  db: Database,
  span: Span,
  extent: Extent,
): AsyncGenerator<Uint32Array> {
  for await (const ids of readInOrder(rangesOf(extent), (range) =>
    readRemovedPage(db, span, range),
  )) {
    if (ids.length > 0) yield ids
  }
}

/** Few rows are one page, however far their ids lie apart. */
function rangesOf({ count, first, last }: Extent): Iterable<IdRange> {
  if (count === 0 || first > last) return []
  if (count <= loaderLimits.changeRows) return [{ from: first, to: last + 1 }]
  return idRanges(first, last, loaderLimits.changeRows)
}

/** `materialized`: the rows are found first, by generation or by id, and their contents after that. */
async function readAddedPage(db: Database, span: Span, ids: IdRange): Promise<Added[]> {
  const rows = await read(
    'read added bank signals',
    db<{ type: string; ids: Buffer; contents: Buffer; banks: Buffer; values: Buffer }[]>`
      with found as materialized (
        select id, type, value, content from bank_signal
        where id >= ${ids.from}::integer and id < ${ids.to}::bigint
          and added_generation > ${span.from} and added_generation <= ${span.to}
          and (removed_generation is null or removed_generation + 0 > ${span.to}))
      select s.type, string_agg(int4send(s.id), '') as ids,
        string_agg(int4send(s.content), '') as contents, string_agg(s.value, '') as values,
        string_agg(int4send(c.bank), '') as banks
      from found s join bank_content c on c.id = s.content
      group by s.type, octet_length(s.value)`,
  )
  return rows.map(({ type, ids, contents, banks, values }) => ({
    type,
    values,
    signalIds: toIds(ids),
    contentIds: toIds(contents),
    bankIds: toIds(banks),
  }))
}

async function readRemovedPage(db: Database, span: Span, ids: IdRange): Promise<Uint32Array> {
  const [row] = await read(
    'read removed bank signals',
    db<{ ids: Buffer | null }[]>`
      select string_agg(int4send(id), '') as ids from bank_signal
      where id >= ${ids.from}::integer and id < ${ids.to}::bigint
        and removed_generation > ${span.from} and removed_generation <= ${span.to}
        and added_generation + 0 <= ${span.from}`,
  )
  return toIds(row?.ids ?? new Uint8Array())
}
