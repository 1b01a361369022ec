// The steps of an import from HMA: begin, page, end. The position moves in the statement that brought the page in, so a
// killed import goes on there and the same page said twice comes in once.
import type { Database } from '../db/client.ts'
import { ask, callStep } from '../db/client.ts'
import type { BankClass, BankPolicy, Mode } from '../domain/bank.ts'
import type { Hex } from '../domain/blob.ts'
import { crashPoint } from '../telemetry/crash-point.ts'

/** Numbers that stay free for what HMA adds until it is switched off. Ours go on behind them. */
export const hmaRoom = 1_000_000
export const contentIdMax = 2_147_483_647

type Asker = { principal: number; nowMs: number }

export type BegunBank = {
  id: number
  name: string
  ratio: number
  class: BankClass
  confidential: boolean
  policy: Omit<BankPolicy, 'version'>
}

export type BegunExchange = {
  id: number
  name: string
  /** HMA's number. */
  bank: number
  api: string
  config: unknown
  enabled: boolean
  checkpoint: unknown
  checkpointTs: number | null
  fetchedItems: number
  kept: object
}

/** Throws UsageError where a bank or an exchange of ours is in the way. Goes on with the run that is open. */
export async function beginHmaImport(
  db: Database,
  input: Asker & {
    database: string
    version: string | undefined
    lastContent: number
    mode: Mode
    banks: BegunBank[]
    exchanges: BegunExchange[]
    signalTypes: { name: string; ratio: number }[]
    credentials: { api: string; sealed: Hex }[]
  },
): Promise<{ import: number; through: number; resumed: boolean }> {
  const { nowMs, ...rest } = input
  const [row] = await callStep<{ import: number; through: number; resumed: boolean }[]>(
    db,
    'import_hma_begin_v1',
    { ...rest, room: hmaRoom, now: new Date(nowMs) },
  )
  if (row === undefined) throw new TypeError('import_hma_begin_v1 answers with one row')
  return row
}

export type HmaPage = {
  from: number
  to: number
  banks: number[]
  gone: number[]
  /** Some of the rows are here already. */
  changes: boolean
  same: { bank: number; count: number }[]
  left: { reason: string; count: number }[]
  /** JSON texts of contents. */
  rows: string[]
}

/** false: another process was faster with this page. */
export async function applyHmaPage(
  db: Database,
  input: Asker & HmaPage & { import: number },
): Promise<boolean> {
  const { nowMs, rows, ...rest } = input
  crashPoint('import-hma:before')
  const [row] = await callStep<{ through: number; applied: boolean }[]>(
    db,
    'import_hma_page_v1',
    { ...rest, now: new Date(nowMs) },
    [`[${rows.join(',')}]`],
  )
  crashPoint('import-hma:after')
  return row?.applied === true
}

/** Idempotent. Returns whether a pass over stored signals begins. */
export async function endHmaImport(
  db: Database,
  input: Asker & { import: number; lookBack: boolean },
): Promise<boolean> {
  const { nowMs, ...rest } = input
  const [row] = await callStep<{ looks_back: boolean }[]>(db, 'import_hma_end_v1', {
    ...rest,
    now: new Date(nowMs),
  })
  return row?.looks_back === true
}

export type HmaImportRow = {
  import: number
  database: string
  through: number
  endedAt: Date | null
}

/** The newest first; the open one is it, where one is open. */
export async function lastHmaImport(db: Database): Promise<HmaImportRow | undefined> {
  const [row] = await ask(
    'find the last import from HMA',
    db<HmaImportRow[]>`
      select id as import, database, through, ended_at as "endedAt" from hma_import order by id desc limit 1`,
  )
  return row
}

/** Of one run as a whole, over all its calls. */
export async function hmaImportTotals(
  db: Database,
  importId: number,
): Promise<{
  banks: { bank: number; added: number; changed: number; removed: number; unchanged: number }[]
  left: { reason: string; count: number }[]
}> {
  const [banks, left] = await Promise.all([
    ask(
      'count what came from HMA',
      db<{ bank: number; added: number; changed: number; removed: number; unchanged: number }[]>`
        select bank, added, changed, removed, unchanged from hma_import_bank where import = ${importId} order by bank`,
    ),
    ask(
      'count what stayed in HMA',
      db<{ reason: string; count: number }[]>`
        select reason, count from hma_import_left where import = ${importId} order by count desc, reason`,
    ),
  ])
  return { banks: [...banks], left: [...left] }
}

/** Ours for HMA's numbers. */
export async function knownHmaBanks(db: Database): Promise<Map<number, number>> {
  const rows = await ask(
    'read which banks came from HMA',
    db<{ hmaId: number; bank: number }[]>`select hma_id as "hmaId", bank from hma_bank`,
  )
  return new Map(rows.map(({ hmaId, bank }) => [hmaId, bank]))
}

/** HMA's numbers of banks that came from it and were removed here. */
export async function hmaBanksRemovedHere(db: Database): Promise<Set<number>> {
  const rows = await ask(
    'read which banks from HMA were removed here',
    db<{ hmaId: number }[]>`
      select h.hma_id as "hmaId" from hma_bank h join bank b on b.id = h.bank where b.removed_at is not null`,
  )
  return new Set(rows.map(({ hmaId }) => hmaId))
}

/** A content from HMA as it is here. */
export type OurContent = {
  id: number
  bank: number
  /** What HMA said when it came; null: it was gone from HMA since. */
  state: string | null
  isRemoved: boolean
}

/** After `from`, up to and with `to`; the first `limit` of them. */
export async function readOurs(
  db: Database,
  { from, to, limit }: { from: number; to: number; limit: number },
): Promise<OurContent[]> {
  return ask(
    'read the contents',
    db<OurContent[]>`
      select id, bank, encode(hma_state, 'hex') as state, removed_at is not null as "isRemoved"
      from bank_content
      where id > ${from} and id <= ${to} and source = 'hma' and source_key is null order by id limit ${limit}`,
  )
}

/** Numbers that one statement goes through: of ten million it would take as long as it may. */
export const hmaNumbersAtOnce = 1_000_000

/** Those that are not removed. */
export async function countOurs(db: Database): Promise<number> {
  const [last] = await ask(
    'find the last content',
    db<{ id: number }[]>`select coalesce(max(id), 0) as id from bank_content`,
  )
  let count = 0
  for (let from = 0; from < (last?.id ?? 0); from += hmaNumbersAtOnce) {
    const [row] = await ask(
      'count the contents that came from HMA',
      db<{ count: number }[]>`
        select count(*) as count from bank_content
        where id > ${from} and id <= ${from + hmaNumbersAtOnce}::bigint and hma_state is not null and removed_at is null`,
    )
    count += row?.count ?? 0
  }
  return count
}

/** Numbers that contents of another origin have here, up to `last`: HMA may not have given them as well. */
export async function numbersTaken(
  db: Database,
  input: { after: number; last: number; limit: number },
): Promise<number[]> {
  const rows = await ask(
    'look for numbers that are taken',
    db<{ id: number }[]>`
      select id from bank_content
      where (source is distinct from 'hma' or source_key is not null) and id > ${input.after} and id <= ${input.last}
      order by id limit ${input.limit}`,
  )
  return rows.map(({ id }) => id)
}
