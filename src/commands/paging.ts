// --limit and --page of everything that can be long. One row more than asked for is read, to know whether there is more.
import type { Command } from 'commander'
import type { Io } from './io.ts'
import { parseWhole } from './parse.ts'

export const pageLimits = { rowsDefault: 50, rowsMax: 1000, pagesMax: 1_000_000 } as const

export type PageOptions = { limit?: string; page?: string }
export type Page = { limit: number; offset: number; number: number }

export function addPaging(command: Command): Command {
  return command
    .option('--limit <N>', 'rows on a page', String(pageLimits.rowsDefault))
    .option('--page <N>', 'which page, from 1', '1')
}

export function parsePage(options: PageOptions): Page {
  const limit = parseWhole(options.limit ?? String(pageLimits.rowsDefault), '--limit', {
    min: 1,
    max: pageLimits.rowsMax,
  })
  const number = parseWhole(options.page ?? '1', '--page', { min: 1, max: pageLimits.pagesMax })
  return { limit, offset: (number - 1) * limit, number }
}

/** The rows of this page out of `limit` + 1 that were read. */
export function onPage<Row>(rows: readonly Row[], page: Page): { rows: Row[]; more: boolean } {
  return { rows: rows.slice(0, page.limit), more: rows.length > page.limit }
}

export function tellMore(io: Io, page: Page, more: boolean): void {
  if (more) io.out(`There is more: --page ${page.number + 1}`)
}
