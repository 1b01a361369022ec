// user-report: what users said about contents, through programs that may report. Words only; each was scanned when it came.
import type { Command } from 'commander'
import { listUserReports } from '../cases/user-reports.ts'
import type { UserReportRow } from '../cases/user-reports.ts'
import type { Io } from './io.ts'
import { withExamples } from './examples.ts'
import { printJson, printTable, shortTime } from './output.ts'
import type { Column } from './output.ts'
import { addPaging, onPage, parsePage, tellMore } from './paging.ts'
import type { PageOptions } from './paging.ts'
import { withSession } from './session.ts'

type ListOptions = PageOptions & { account?: string; json?: boolean }

export function addUserReport(program: Command, io: Io): void {
  const command = program.command('user-report').description('what users reported: list')
  const list = command
    .command('list')
    .description('the reports of the last 30 days, newest first')
    .option('--account <DID>', 'only about this account')
    .option('--json', 'print the result as JSON')
    .action((options: ListOptions) => runList(io, options))
  withExamples(addPaging(list), [
    'user-report list',
    'user-report list --account did:plc:ewvi7nxzyoun6zhxrhs64oiz',
  ])
}

async function runList(io: Io, options: ListOptions): Promise<void> {
  const page = parsePage(options)
  const read = await withSession(io, ({ db }) =>
    listUserReports(db, { did: options.account, limit: page.limit + 1, offset: page.offset }),
  )
  const { rows, more } = onPage(read, page)
  if (options.json === true) {
    printJson(io, { reports: rows, page: page.number, more })
    return
  }
  printTable(io, rows, columns, 'No user has reported anything.')
  tellMore(io, page, more)
}

const columns: Column<UserReportRow>[] = [
  { head: 'report', cell: (row) => row.id },
  { head: 'when', cell: (row) => shortTime(row.at) },
  { head: 'through', cell: (row) => row.by },
  { head: 'account', cell: (row) => row.did ?? '' },
  { head: 'content', cell: (row) => row.contentId },
  { head: 'reason', cell: (row) => row.reason.replaceAll(/\s+/g, ' ') },
]
