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

/** `name  value` lines; what is undefined is left out. */
export function printFacts(
  io: Io,
  facts: readonly (readonly [string, string | number | undefined])[],
): void {
  const shown = facts.filter(([, value]) => value !== undefined)
  const width = Math.max(...shown.map(([name]) => name.length))
  for (const [name, value] of shown) io.out(`${name.padEnd(width)}  ${value}`)
}

/** A table under a heading; nothing at all when there are no rows. */
export function printSection<Row>(
  io: Io,
  heading: string,
  rows: readonly Row[],
  columns: Column<Row>[],
): void {
  if (rows.length === 0) return
  io.out(`\n${heading}`)
  printTable(io, rows, columns, '')
}

/** To the minute, in UTC: what a person needs of a time. */
export function shortTime(at: Date | null): string {
  return at === null ? '' : `${at.toISOString().slice(0, 16).replace('T', ' ')}Z`
}

export function count(n: number, one: string, many = `${one}s`): string {
  return `${n} ${n === 1 ? one : many}`
}
