// feedback: what people say that a picture is, with or without a bank. Kept for the exchanges; it acts on nothing by itself.
import type { Command } from 'commander'
import { bankNamed } from '../banks/bank-store.ts'
import { isBlobKnown, listFeedback } from '../cases/feedback.ts'
import type { FeedbackRow } from '../cases/feedback.ts'
import { blobCidOf, blobDigest } from '../domain/cid.ts'
import { UsageError } from '../domain/errors.ts'
import { feedbackVerdicts, giveFeedback } from '../steps/feedback.ts'
import type { FeedbackVerdict } from '../steps/feedback.ts'
import type { Io } from './io.ts'
import { withExamples } from './examples.ts'
import { printJson, printTable, shortTime } from './output.ts'
import type { Column } from './output.ts'
import { addPaging, onPage, parsePage, tellMore } from './paging.ts'
import type { PageOptions } from './paging.ts'
import { parseOneOf, parseSince, parseWhole } from './parse.ts'
import { withSession } from './session.ts'

const noteCharsMax = 2000

type AddOptions = {
  blob: string
  harmful?: boolean
  notHarmful?: boolean
  content?: string
  note?: string
  json?: boolean
}
type ListOptions = PageOptions & {
  bank?: string
  content?: string
  verdict?: string
  since?: string
  notExported?: boolean
  json?: boolean
}

export function addFeedback(program: Command, io: Io): void {
  const command = program
    .command('feedback')
    .description('what people found when they looked: add, list; it changes no bank')
  withExamples(
    command
      .command('add')
      .description('say what a picture is; nothing is banked, and nothing is done about it')
      .requiredOption('--blob <CID>', 'the picture')
      .option('--harmful', 'it is harmful (without a verdict: this)')
      .option('--not-harmful', 'a match of it was wrong')
      .option('--content <ID>', 'the content that matched it')
      .option('--note <TEXT>', 'why; kept sealed behind the ledger entry')
      .option('--json', 'print the result as JSON')
      .action((options: AddOptions) => runAdd(io, options)),
    [
      'feedback add --blob bafkrei… --note "reported by three people"',
      'feedback add --blob bafkrei… --not-harmful --content 12',
    ],
  )
  const list = command
    .command('list')
    .description('what was said, newest first; case confirm, release and overturn say it too')
    .option('--bank <BANK>', 'about contents of this bank')
    .option('--content <ID>', 'about this content')
    .option('--verdict <VERDICT>', feedbackVerdicts.join(' or '))
    .option('--since <WHEN>', 'a span back from now (7d, 12h) or a day like 2026-11-01')
    .option('--not-exported', 'only what no exchange was told')
    .option('--json', 'print the result as JSON')
    .action((options: ListOptions) => runList(io, options))
  withExamples(addPaging(list), [
    'feedback list',
    'feedback list --bank SPAM --verdict not-harmful --since 7d',
    'feedback list --not-exported --json',
  ])
}

async function runAdd(io: Io, options: AddOptions): Promise<void> {
  const blob = blobDigest(options.blob)
  if (blob === undefined)
    throw new UsageError('--blob takes the CID of a blob: CIDv1, raw, sha2-256 (bafkrei…)')
  if (options.harmful === true && options.notHarmful === true)
    throw new UsageError('--harmful or --not-harmful: one of them')
  const { note } = options
  if (note !== undefined && (note.trim() === '' || note.length > noteCharsMax))
    throw new UsageError(`a note has 1 to ${noteCharsMax} characters`)
  const content = parseContent(options.content)
  const verdict: FeedbackVerdict = options.notHarmful === true ? 'not-harmful' : 'harmful'
  await withSession(io, async (session) => {
    const said = await giveFeedback(session.db, {
      blob,
      verdict,
      ...(content !== undefined && { content }),
      ...(note !== undefined && { note }),
      principal: await session.principal(),
      nowMs: session.nowMs(),
    })
    const known = await isBlobKnown(session.db, blob)
    if (options.json === true) {
      printJson(io, { ...said, verdict, blob: options.blob, known })
      return
    }
    if (!said.given) {
      io.out(`You said so before (feedback ${said.feedback}); nothing was added.`)
      return
    }
    const about = said.content === null ? 'no content of a bank' : `content ${said.content}`
    io.out(`feedback ${said.feedback}: ${verdict}, about ${about}. Nothing is done because of it.`)
    if (!known) io.out('This blob was not seen here, or so long ago that it is forgotten.')
  })
}

async function runList(io: Io, options: ListOptions): Promise<void> {
  const page = parsePage(options)
  const content = parseContent(options.content)
  const verdict =
    options.verdict === undefined
      ? undefined
      : parseOneOf(options.verdict, '--verdict', feedbackVerdicts)
  const read = await withSession(io, async ({ db, nowMs }) =>
    listFeedback(db, {
      ...(options.bank !== undefined && { bank: (await bankNamed(db, options.bank)).id }),
      ...(content !== undefined && { content }),
      ...(verdict && { verdict }),
      ...(options.since !== undefined && { since: parseSince(options.since, '--since', nowMs()) }),
      notExported: options.notExported === true,
      limit: page.limit + 1,
      offset: page.offset,
    }),
  )
  const { rows, more } = onPage(read, page)
  if (options.json === true) {
    const feedback = rows.map(({ cid, ...row }) => ({ ...row, blob: cid && blobCidOf(cid) }))
    printJson(io, { feedback, page: page.number, more })
    return
  }
  printTable(io, rows, columns, 'No such feedback.')
  tellMore(io, page, more)
}

function parseContent(text: string | undefined): number | undefined {
  return text === undefined
    ? undefined
    : parseWhole(text, '--content', { min: 1, max: 2_147_483_647 })
}

const columns: Column<FeedbackRow>[] = [
  { head: 'feedback', cell: (row) => row.id, align: 'right' },
  { head: 'when', cell: (row) => shortTime(row.at) },
  { head: 'who', cell: (row) => row.who },
  { head: 'verdict', cell: (row) => row.verdict },
  { head: 'blob', cell: (row) => (row.cid === null ? '' : blobCidOf(row.cid)) },
  { head: 'bank', cell: (row) => row.bank ?? '' },
  { head: 'content', cell: (row) => row.content ?? '', align: 'right' },
  { head: 'case', cell: (row) => row.caseNumber ?? '', align: 'right' },
  { head: 'note', cell: (row) => row.note ?? '' },
  { head: 'exported', cell: (row) => shortTime(row.exportedAt) },
]
