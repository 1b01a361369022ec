// A bank's contents on their way out, page by page. The caller says who may have them.
import type { Database } from '../db/client.ts'
import { ask, callStep } from '../db/client.ts'
import { signalTypes } from '../domain/blob.ts'
import type { AnySignalType } from '../domain/blob.ts'
import { isOfOther } from '../domain/other-type.ts'
import type { ListFormat, WrittenItem } from './list-format.ts'
import type { NewSignal } from './new-signal.ts'

const pageRows = 5_000

/**
 * All contents in the order of their numbers. An item has the id of its list where the whole bank came from one list,
 * else its content number: each id once.
 */
export async function* exportItems(db: Database, bank: number): AsyncGenerator<WrittenItem[]> {
  const oneList = await isOneList(db, bank)
  for (let after = 0; ;) {
    const rows = await readPage(db, bank, after)
    if (rows.length > 0) yield rows.map((row) => toItem(row, oneList))
    if (rows.length < pageRows) return
    after = rows.at(-1)?.id ?? after
  }
}

/** Ours, whether the bank has them or not, and those of plug-ins that it has. */
export async function typesInBank(db: Database, bank: number): Promise<AnySignalType[]> {
  const rows = await ask(
    'read the signal types of the bank',
    db<{ type: AnySignalType }[]>`
      select distinct s.type from bank_content c join bank_signal s on s.content = c.id
      where c.bank = ${bank} and c.removed_at is null and s.state = 'live' order by s.type`,
  )
  return [...signalTypes, ...rows.map(({ type }) => type).filter(isOfOther)]
}

export async function countContents(db: Database, bank: number): Promise<number> {
  const [row] = await ask(
    'count the contents',
    db<{ count: number }[]>`
      select count(*) as count from bank_content where bank = ${bank} and removed_at is null`,
  )
  return row?.count ?? 0
}

/** The ledger tells that values left. `id`: of this export; the same one is one entry. */
export async function noteExport(
  db: Database,
  input: {
    bank: string
    contents: number
    /** `hma`: one content, over HMA's interface. */
    format: ListFormat | 'hma'
    id: string
    principal: number
    nowMs: number
  },
): Promise<void> {
  const { nowMs, ...rest } = input
  await callStep(db, 'note_export_v1', { ...rest, now: new Date(nowMs) })
}

type Row = {
  id: number
  sourceKey: string | null
  note: string | null
  metadata: object | null
  disableUntilTs: number
  signals: (Omit<NewSignal, 'quality'> & { quality: number | null })[]
}

function readPage(db: Database, bank: number, after: number): Promise<Row[]> {
  return ask(
    'read the bank contents',
    db<Row[]>`
      select c.id, c.source_key as "sourceKey", c.note, c.metadata, c.disable_until_ts as "disableUntilTs",
        coalesce((select jsonb_agg(jsonb_build_object('type', s.type, 'value', encode(s.value, 'hex'), 'quality', s.quality)
          order by s.type, s.id) from bank_signal s where s.content = c.id and s.state = 'live'), '[]') as signals
      from bank_content c
      where c.bank = ${bank} and c.removed_at is null and c.id > ${after}
      order by c.id limit ${pageRows}`,
  )
}

async function isOneList(db: Database, bank: number): Promise<boolean> {
  const [row] = await ask(
    'look where the contents came from',
    db<{ oneList: boolean }[]>`
      select count(distinct coalesce(source, '')) = 1 and bool_and(source_key is not null) as "oneList"
      from bank_content where bank = ${bank} and removed_at is null`,
  )
  return row?.oneList === true
}

function toItem(row: Row, oneList: boolean): WrittenItem {
  // A name that was made of the signals is made of them again.
  const id = oneList && row.sourceKey !== null ? row.sourceKey : String(row.id)
  return {
    ...(!id.startsWith('#') && { id }),
    signals: row.signals.map(({ type, value, quality }) => ({
      type,
      value,
      ...(quality !== null && { quality }),
    })),
    ...(row.note !== null && { note: row.note }),
    ...(row.metadata !== null && { metadata: row.metadata }),
    disableUntilTs: row.disableUntilTs,
  }
}
