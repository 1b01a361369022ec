// case: what a moderator works on. Words only: no picture is ever fetched or shown here.
import type { Command } from 'commander'
import { listCases, caseStates } from '../cases/case-list.ts'
import type { CaseRow } from '../cases/case-list.ts'
import type { Io } from './io.ts'
import { addCaseAppeal } from './case-appeal.ts'
import { addCaseVerbs } from './case-decide.ts'
import { addCaseShow } from './case-show.ts'
import { withExamples } from './examples.ts'
import { printJson, printTable, shortTime } from './output.ts'
import type { Column } from './output.ts'
import { addPaging, onPage, parsePage, tellMore } from './paging.ts'
import type { PageOptions } from './paging.ts'
import { parseOneOf } from './parse.ts'
import { withSession } from './session.ts'

type ListOptions = PageOptions & { state?: string; appealed?: boolean; json?: boolean }

export function addCase(program: Command, io: Io): void {
  const command = program
    .command('case')
    .description('what people decide: list, show, confirm, release, overturn, note, appeal')
  const list = command
    .command('list')
    .description('the cases: open ones, oldest first, unless --state says otherwise')
    .option(
      '--state <STATE>',
      `${caseStates.join(', ')} or all; not set: open, with --appealed all`,
    )
    .option('--appealed', 'only cases with an appeal, those with an open one first')
    .option('--json', 'print the result as JSON')
    .action((options: ListOptions) => runList(io, options))
  withExamples(addPaging(list), [
    'case list',
    'case list --state confirmed --limit 10',
    'case list --appealed',
    'case list --json',
  ])
  addCaseShow(command, io)
  addCaseVerbs(command, io)
  addCaseAppeal(command, io)
}

async function runList(io: Io, options: ListOptions): Promise<void> {
  const page = parsePage(options)
  const appealed = options.appealed === true
  const state = parseOneOf(options.state ?? (appealed ? 'all' : 'open'), '--state', [
    ...caseStates,
    'all',
  ])
  const read = await withSession(io, ({ db }) =>
    listCases(db, { state, appealed, limit: page.limit + 1, offset: page.offset }),
  )
  const { rows, more } = onPage(read, page)
  if (options.json === true) {
    printJson(io, { cases: rows, page: page.number, more })
    return
  }
  const none = appealed
    ? 'Nobody has appealed.'
    : state === 'open'
      ? 'No case is open: nothing waits for a person.'
      : 'No such case.'
  printTable(io, rows, columns, none)
  tellMore(io, page, more)
}

const columns: Column<CaseRow>[] = [
  { head: 'case', cell: (row) => row.id, align: 'right' },
  { head: 'state', cell: (row) => row.state },
  { head: 'why', cell: (row) => row.reason },
  { head: 'opened', cell: (row) => shortTime(row.openedAt) },
  { head: 'blobs', cell: (row) => row.blobs, align: 'right' },
  { head: 'accounts', cell: (row) => row.accounts, align: 'right' },
  { head: 'held', cell: (row) => row.held, align: 'right' },
  { head: 'appeals', cell: appealsTold },
  { head: 'banks', cell: (row) => row.banks.join(', ') },
]

function appealsTold({ appeals, appealsOpen }: CaseRow): string {
  if (appeals === 0) return ''
  return appealsOpen === 0 ? String(appeals) : `${appeals}, ${appealsOpen} open`
}
