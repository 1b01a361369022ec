// bank show: one bank and its contents. Signals of a restricted bank never come out.
import type { Command } from 'commander'
import { listContents } from '../banks/bank-contents.ts'
import type { ContentRow } from '../banks/bank-contents.ts'
import { bankNamed } from '../banks/bank-store.ts'
import { UsageError } from '../domain/errors.ts'
import type { Io } from './io.ts'
import { withExamples } from './examples.ts'
import { printFacts, printJson, printTable, shortTime } from './output.ts'
import type { Column } from './output.ts'
import { addPaging, onPage, parsePage, tellMore } from './paging.ts'
import type { PageOptions } from './paging.ts'
import { withSession } from './session.ts'

type ShowOptions = PageOptions & { signals?: boolean; json?: boolean }

export function addBankShow(command: Command, io: Io): void {
  const show = command
    .command('show')
    .description('one bank: its policy and its contents')
    .argument('<NAME>', 'the bank')
    .option('--signals', 'the values too; open banks only')
    .option('--json', 'print the result as JSON')
    .action((name: string, options: ShowOptions) => run(io, name, options))
  withExamples(addPaging(show), ['bank show SPAM', 'bank show SPAM --signals --json'])
}

async function run(io: Io, name: string, options: ShowOptions): Promise<void> {
  const page = parsePage(options)
  const withValues = options.signals === true
  await withSession(io, async ({ db }) => {
    const bank = await bankNamed(db, name)
    if (withValues && (bank.class === 'restricted' || bank.confidential)) {
      throw new UsageError(
        `${name} is ${bank.confidential ? 'confidential' : bank.class}: its signals are not shown`,
      )
    }
    const { limit, offset } = page
    const read = await listContents(db, { bank: bank.id, withValues, limit: limit + 1, offset })
    const { rows, more } = onPage(read, page)
    if (options.json === true) {
      printJson(io, { bank, contents: rows, page: page.number, more })
      return
    }
    const { policy } = bank
    printFacts(io, [
      ['bank', bank.name],
      ['mode', bank.mode],
      ['class', bank.class],
      ['exact', policy.exact],
      ['perceptual', `${policy.perceptual}, distance up to ${policy.pdqDistanceMax}`],
      ['actions', policy.actions.join(', ') || 'none'],
      ['label', policy.label],
      ['preserve', policy.preserve ? 'yes: holds until a vault is configured' : 'no'],
      ['policy', `version ${policy.version}`],
    ])
    printTable(io, rows, columns, `The bank is empty: bank add ${name} FILE…`)
    tellMore(io, page, more)
  })
}

const columns: Column<ContentRow>[] = [
  { head: 'content', cell: (row) => row.id, align: 'right' },
  { head: 'added', cell: (row) => shortTime(row.addedAt) },
  { head: 'state', cell: stateOf },
  { head: 'matched blobs', cell: (row) => row.matchedBlobs, align: 'right' },
  {
    head: 'signals',
    cell: (row) =>
      row.signals
        .map(({ type, value }) => (value === undefined ? type : `${type} ${value}`))
        .join('\n'),
  },
  { head: 'note', cell: (row) => row.note ?? '' },
]

function stateOf(row: ContentRow): string {
  if (row.heldAt !== null) return 'held (flood)'
  if (row.disableUntilTs === 1) return 'enabled'
  if (row.disableUntilTs === 0) return 'disabled'
  return `disabled until ${shortTime(new Date(row.disableUntilTs * 1000))}`
}
