// Results for people (tables, sentences) or machines (--json: one document on stdout).
import CliTable from 'cli-table3'
import type { Io } from './io.ts'

export type Column<Row> = { head: string; cell: (row: Row) => string | number; align?: 'right' }

export function printJson(io: Io, value: unknown): void {
  io.out(JSON.stringify(value, null, 2))
}

/** `empty`: the sentence for no rows; a table without rows tells nothing. */
export function printTable<Row>(
  io: Io,
  rows: readonly Row[],
  columns: Column<Row>[],
  empty: string,
): void {
  if (rows.length === 0) {
    io.out(empty)
    return
  }
  const table = new CliTable({
    head: columns.map((column) => column.head),
    colAligns: columns.map((column) => column.align ?? 'left'),
    style: { head: [], border: [], compact: true },
  })
  for (const row of rows) table.push(columns.map((column) => String(column.cell(row))))
  io.out(table.toString())
}

/** Rows as a table, or as JSON under `name` when --json was given. */
export function printRows<Row>(
  io: Io,
  options: { json?: boolean },
  name: string,
  rows: readonly Row[],
  columns: Column<Row>[],
  empty: string,
): void {
  if (options.json === true) printJson(io, { [name]: rows })
  else printTable(io, rows, columns, empty)
}
