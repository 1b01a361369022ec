// bank show: one bank and its contents. Signals of a restricted bank never come out.
import type { Command } from 'commander'
import { listContents } from '../banks/bank-contents.ts'
import type { ContentRow } from '../banks/bank-contents.ts'
import { exchangeSource } from '../banks/exchange-page.ts'
import { bankNamed, listBanks } from '../banks/bank-store.ts'
import type { Bank, BankPolicy } from '../domain/bank.ts'
import { UsageError } from '../domain/errors.ts'
import type { Io } from './io.ts'
import { withExamples } from './examples.ts'
import { printFacts, printJson, printTable, shortTime } from './output.ts'
import type { Column } from './output.ts'
import { addPaging, onPage, parsePage, tellMore } from './paging.ts'
import type { PageOptions } from './paging.ts'
import { withSession } from './session.ts'

type ShowOptions = PageOptions & { search?: string; signals?: boolean; json?: boolean }

const searchCharsMax = 200

export function addBankShow(command: Command, io: Io): void {
  const show = command
    .command('show')
    .description('one bank: its policy and its contents')
    .argument('<NAME>', 'the bank')
    .option(
      '--search <TEXT>',
      'only contents with it in the note, the metadata, the list or its id; or with exactly this signal',
    )
    .option('--signals', 'the values too; open banks only')
    .option('--json', 'print the result as JSON')
    .action((name: string, options: ShowOptions) => run(io, name, options))
  withExamples(addPaging(show), [
    'bank show SPAM',
    'bank show SPAM --search "coin advert" --limit 10',
    'bank show SPAM --signals --json',
  ])
}

async function run(io: Io, name: string, options: ShowOptions): Promise<void> {
  const page = parsePage(options)
  const withValues = options.signals === true
  const { search } = options
  if (search !== undefined && (search.trim() === '' || search.length > searchCharsMax)) {
    throw new UsageError(`--search takes 1 to ${searchCharsMax} characters`)
  }
  await withSession(io, async ({ db, others }) => {
    const bank = await bankNamed(db, name)
    if (withValues && (bank.class === 'restricted' || bank.confidential)) {
      throw new UsageError(
        `${name} is ${bank.confidential ? 'confidential' : bank.class}: its signals are not shown`,
      )
    }
    const { limit, offset } = page
    const asked = { bank: bank.id, withValues, limit: limit + 1, offset }
    const read = await listContents(db, {
      ...asked,
      ...(search !== undefined && { search, others: others() }),
    })
    const { rows, more } = onPage(read, page)
    if (options.json === true) {
      printJson(io, { bank, contents: rows, page: page.number, more })
      return
    }
    const banks = bank.policy.suppresses === undefined ? [] : await listBanks(db)
    printBank(io, bank, new Map(banks.map((one) => [one.id, one.name])))
    const none =
      search === undefined ? `The bank is empty: bank add ${name} FILE…` : 'No such content.'
    printTable(io, rows, columns, none)
    tellMore(io, page, more)
  })
}

function printBank(io: Io, bank: Bank, nameOf: ReadonlyMap<number, string>): void {
  const { policy } = bank
  const isNegative = policy.suppresses !== undefined
  printFacts(io, [
    ['bank', bank.name],
    ['mode', bank.mode],
    ['class', bank.confidential ? `${bank.class}, confidential` : bank.class],
    ['suppresses', isNegative ? suppressedText(policy, nameOf) : undefined],
    ['exact', isNegative ? undefined : policy.exact],
    ['perceptual', isNegative ? undefined : policy.perceptual],
    ['distance', `PDQ up to ${policy.pdqDistanceMax}, CLIP up to ${policy.clipDistanceMax}`],
    ['share', policy.ratio === 1 ? 'of all blobs' : shareText(policy)],
    ['actions', policy.actions.join(', ') || 'none'],
    ['label', policy.label],
    ['preserve', policy.preserve ? 'yes: evidence first; without a vault it holds' : 'no'],
    ['policy', `version ${policy.version}`],
  ])
}

/** The banks whose matches a negative bank sets aside; empty for an ordinary one. */
export function suppressedText(
  { suppresses }: BankPolicy,
  nameOf: ReadonlyMap<number, string>,
): string {
  if (suppresses === undefined) return ''
  if (suppresses === 'all') return 'ALL'
  return suppresses.map((id) => nameOf.get(id) ?? `bank ${id}`).join(', ')
}

function shareText({ ratio, ratioSeed }: BankPolicy): string {
  return `${ratio} of the blobs${ratioSeed === '' ? '' : `, seed ${ratioSeed}`}`
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
  { head: 'metadata', cell: (row) => (row.metadata === null ? '' : JSON.stringify(row.metadata)) },
  { head: 'from', cell: fromText },
]

function stateOf(row: ContentRow): string {
  const held = row.heldAt === null ? [] : ['held (flood)']
  const reviewed = row.reviewed === null ? [] : [row.reviewed]
  const disabled =
    row.disableUntilTs === 1
      ? []
      : row.disableUntilTs === 0
        ? ['disabled']
        : [`disabled until ${shortTime(new Date(row.disableUntilTs * 1000))}`]
  const states = [...held, ...disabled, ...reviewed]
  return held.length + disabled.length === 0
    ? ['enabled', ...reviewed].join('\n')
    : states.join('\n')
}

function fromText({ source, sourceKey, provenance }: ContentRow): string {
  const list = source === null ? [] : [source === exchangeSource ? 'exchange' : `list ${source}`]
  // A name that we made of the signals tells a person nothing.
  const item = sourceKey === null || sourceKey.startsWith('#') ? [] : [sourceKey]
  const before: { bank?: number; content?: number; tags?: string[] } | null = provenance
  const moved =
    before?.content === undefined ? [] : [`content ${before.content} of bank ${before.bank}`]
  const tags = before?.tags?.join(', ') ?? ''
  return [...list, ...item, ...moved, ...(tags === '' ? [] : [tags])].join('\n')
}
