// Our banks go back to an HMA: into its empty tables, or as SQL that psql reads into them.
//
// Promises: a content is as it was at one moment, all of them within the minutes that it takes; into a database all or nothing, in one transaction, and only into empty tables. Values of restricted and
// confidential banks are read only when the ledger has an entry that says who let them go, and why.
import { randomUUID } from 'node:crypto'
import { banksForHma, numberedTables, rowsForHma } from '../banks/hma-export.ts'
import type { ExportedBank, ExportLoss, HmaTableRows } from '../banks/hma-export.ts'
import { askHma, hmaError, hmaTables } from '../banks/hma-database.ts'
import type { Database } from '../db/client.ts'
import { copyIn } from '../db/copy-in.ts'
import type { Session } from '../db/session.ts'
import { RetryableError, UsageError } from '../domain/errors.ts'
import { noteAndWait } from '../steps/note-and-wait.ts'

export type HmaExportOptions = {
  db: Database
  /** Values of restricted banks may leave. */
  yesValues: boolean
  /** Why those of confidential banks leave; undefined: they do not. */
  confidentialReason: string | undefined
  skipConfidential: boolean
  principal: () => Promise<number>
  nowMs: () => number
  onProgress: (done: number, of: number) => void
  signal: AbortSignal
}

export type HmaSink = {
  write(part: HmaTableRows): Promise<void>
  /** Makes it last. Without this nothing was written. */
  end(): Promise<void>
}

export type HmaExported = {
  banks: { name: string; contents: number }[]
  contents: number
  signals: number
  exchanges: number
  lost: { what: string; count: number }[]
}

/** Throws UsageError where a bank may not leave. Negative banks never do: in HMA they would match like any other. */
export async function exportHma(options: HmaExportOptions, sink: HmaSink): Promise<HmaExported> {
  const all = await banksForHma(options.db)
  const banks = all.filter(
    ({ isNegative, confidential }) => !isNegative && !(confidential && options.skipConfidential),
  )
  refuse(banks, options)
  await note(banks, options)
  const lost: ExportLoss = lossOfBanks(all, banks)
  const counts = { bank_content: 0, content_signal: 0, exchange: 0 } as Record<string, number>
  const of = banks.reduce((sum, { contents }) => sum + contents, 0)
  for await (const part of rowsForHma(options.db, banks, lost)) {
    if (options.signal.aborted)
      throw new RetryableError('stopped before the end: nothing counts as written')
    if (part.rows > 0) await sink.write(part)
    counts[part.table] = (counts[part.table] ?? 0) + part.rows
    if (part.table === 'bank_content') options.onProgress(counts['bank_content'] ?? 0, of)
  }
  await sink.end()
  return {
    banks: banks.map(({ name, contents }) => ({ name, contents })),
    contents: counts['bank_content'] ?? 0,
    signals: counts['content_signal'] ?? 0,
    exchanges: counts['exchange'] ?? 0,
    lost: [...lost]
      .map(([what, count]) => ({ what, count }))
      .toSorted((a, b) => b.count - a.count || (a.what < b.what ? -1 : 1)),
  }
}

function refuse(banks: ExportedBank[], options: HmaExportOptions): void {
  const confidential = banks.find((bank) => bank.confidential)
  if (confidential !== undefined && options.confidentialReason === undefined)
    throw new UsageError(
      `${confidential.name} is confidential: its signals leave only with --confidential REASON; --skip-confidential leaves such banks out`,
    )
  const restricted = banks.find((bank) => bank.class === 'restricted')
  if (restricted !== undefined && !options.yesValues)
    throw new UsageError(
      `${restricted.name} is restricted: --yes-values lets its values leave, and the ledger tells who did`,
    )
}

async function note(banks: ExportedBank[], options: HmaExportOptions): Promise<void> {
  const told = banks.filter((bank) => bank.class === 'restricted' || bank.confidential)
  if (told.length === 0) return
  await noteAndWait(options.db, {
    step: 'note_hma_export_v1',
    payload: {
      banks: told.map(({ id, contents }) => ({ bank: id, contents })),
      confidential: told.some(({ confidential }) => confidential),
      reason: options.confidentialReason,
      principal: await options.principal(),
      now: new Date(options.nowMs()),
    },
    idem: `hma-export:${randomUUID()}`,
    signal: options.signal,
  })
}

const hmaDistance = 31

function lossOfBanks(all: ExportedBank[], banks: ExportedBank[]): ExportLoss {
  const lost: ExportLoss = new Map()
  const count = (what: string, some: ExportedBank[]) => {
    if (some.length > 0) lost.set(what, some.length)
  }
  count(
    'negative bank, which HMA would match with',
    all.filter(({ isNegative }) => isNegative),
  )
  count(
    'confidential bank, left out',
    all.filter((bank) => bank.confidential && !bank.isNegative && !banks.includes(bank)),
  )
  count(
    `bank with another PDQ distance than HMA's ${hmaDistance}`,
    banks.filter(({ pdqDistanceMax }) => pdqDistanceMax !== hmaDistance),
  )
  count('mode, class and actions of a bank', banks)
  return lost
}

/** Into HMA's own tables. Dispose the session afterwards, whatever happened: what was not ended is rolled back. */
export async function databaseSink({ sql }: Session): Promise<HmaSink> {
  // The search path of our sessions is our own schema.
  await askHma(
    'prepare the database',
    sql
      .unsafe(
        `set search_path = "$user", public; set statement_timeout = '10min'; set idle_in_transaction_session_timeout = 0`,
      )
      .simple(),
  )
  await askHma('begin', sql.unsafe('begin'))
  for (const table of hmaTables) {
    const [row] = await askHma(
      'look whether the tables are empty',
      sql.unsafe<{ any: boolean }[]>(`select exists (select from "${table}") as any`),
    )
    if (row?.any === true)
      throw new UsageError(
        `HMA’s table ${table} is not empty: the banks go back into an HMA that has none`,
      )
  }
  return {
    async write({ table, columns, text }) {
      try {
        const names = columns.map((name) => `"${name}"`).join(', ')
        await copyIn(sql, `copy "${table}" (${names}) from stdin`, text)
      } catch (error) {
        throw hmaError(`write ${table}`, error, { then: 'nothing of it is there' })
      }
    },
    async end() {
      for (const table of numberedTables)
        await askHma('set the sequences', sql.unsafe(setSequence(table)))
      await askHma('commit', sql.unsafe('commit'))
    },
  }
}

// Without ON_ERROR_STOP psql would take the rows of a table that it cannot fill for statements.
const textHead = `-- Banks as HMA’s tables, which have to be empty: psql -f THIS_FILE
\\set ON_ERROR_STOP on
set client_encoding = 'UTF8';
begin;
do $$ begin
${hmaTables.map((table) => `  if exists (select from ${table}) then raise exception 'HMA’s table ${table} is not empty'; end if;\n`).join('')}end $$;
`

/** SQL for psql, in one transaction. */
export async function textSink(write: (text: string) => Promise<void>): Promise<HmaSink> {
  await write(textHead)
  return {
    async write({ table, columns, text }) {
      await write(`copy ${table} (${columns.join(', ')}) from stdin;\n${text}\\.\n`)
    },
    async end() {
      for (const table of numberedTables) await write(`${setSequence(table)};\n`)
      await write('commit;\n')
    },
  }
}

function setSequence(table: string): string {
  return `select setval(pg_get_serial_sequence('${table}', 'id'), (select max(id) from ${table})) where exists (select from ${table})`
}
