// gaps list: what we know we did not see, and what that means.
import type { Command } from 'commander'
import { listGaps } from '../cases/gaps.ts'
import type { GapRow } from '../cases/gaps.ts'
import type { Io } from './io.ts'
import { withExamples } from './examples.ts'
import { printJson, printTable, shortTime } from './output.ts'
import { addPaging, onPage, parsePage, tellMore } from './paging.ts'
import type { PageOptions } from './paging.ts'
import { withSession } from './session.ts'

const meanings: Record<string, string> = {
  'outdated-cursor': 'the host no longer had the events after our cursor, so some passed unseen',
  'future-cursor':
    'the host knew nothing of our cursor: it was restored or replaced, its numbers began anew',
  'sequence-jump':
    'numbers and times jumped by more than this stream ever rests, so events are missing',
  'first-start': 'what was there before the first start was never seen',
  'repo-resync': "one account's records were replaced without commits that could be read",
}

type ListOptions = PageOptions & { open?: boolean; json?: boolean }

export function addGaps(program: Command, io: Io): void {
  const command = program.command('gaps').description('stretches of the stream that were not seen')
  const list = command
    .command('list')
    .description('the gaps, open ones first, and what each reason means')
    .option('--open', 'only those that no sweep has closed')
    .option('--json', 'print the result as JSON')
    .action((options: ListOptions) => run(io, options))
  withExamples(addPaging(list), ['gaps list', 'gaps list --open --json'])
}

async function run(io: Io, options: ListOptions): Promise<void> {
  const page = parsePage(options)
  const { limit, offset } = page
  const read = await withSession(io, ({ db }) =>
    listGaps(db, { openOnly: options.open === true, limit: limit + 1, offset }),
  )
  const { rows, more } = onPage(read, page)
  if (options.json === true) {
    const gaps = rows.map((row) => ({ ...row, meaning: meanings[row.reason] ?? row.reason }))
    printJson(io, { gaps, page: page.number, more })
    return
  }
  printTable(
    io,
    rows,
    [
      { head: 'gap', cell: (row) => row.id, align: 'right' },
      { head: 'state', cell: (row) => (row.closedAt === null ? 'open' : 'closed') },
      { head: 'reason', cell: (row) => row.reason },
      { head: 'where', cell: (row) => row.did ?? row.host },
      { head: 'events', cell: span },
      { head: 'noticed', cell: (row) => shortTime(row.at) },
    ],
    'There is no gap: everything the sources offered was seen.',
  )
  for (const reason of new Set(rows.map((row) => row.reason))) {
    io.out(`${reason}: ${meanings[reason] ?? 'no explanation in this build'}.`)
  }
  tellMore(io, page, more)
}

function span(row: GapRow): string {
  if (row.fromSeq === null && row.toSeq === null) return ''
  return `${row.fromSeq ?? '?'} … ${row.toSeq ?? '?'}`
}
