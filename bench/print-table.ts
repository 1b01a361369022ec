import Table from 'cli-table3'
import type { Table as Content } from './bench.ts'

/** Numbers to the right, texts to the left. */
export function printTable({ head, rows }: Content): string {
  const isNumber = head.map((_, column) => rows.some((row) => typeof row[column] === 'number'))
  const table = new Table({
    head,
    style: { head: [], border: [], compact: true },
    colAligns: isNumber.map((is) => (is ? 'right' : 'left')),
  })
  for (const row of rows)
    table.push(row.map((cell) => (typeof cell === 'number' ? cell.toLocaleString('en') : cell)))
  return table.toString()
}
