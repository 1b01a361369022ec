// approval: what waits for a second person. Approving shows the same facts again, and does at once what was asked.
import type { Command } from 'commander'
import { decideProposal, listProposals, proposalStates } from '../banks/proposals.ts'
import type { ProposalRow } from '../banks/proposals.ts'
import type { Database } from '../db/client.ts'
import { UsageError } from '../domain/errors.ts'
import { applyImport } from '../roles/import-list.ts'
import { printAdmission } from './bank-import-facts.ts'
import { importProgress } from './bank-progress.ts'
import type { Io } from './io.ts'
import { withExamples } from './examples.ts'
import { count, printFacts, printJson, printTable, shortTime } from './output.ts'
import type { Column } from './output.ts'
import { addPaging, onPage, parsePage, tellMore } from './paging.ts'
import type { PageOptions } from './paging.ts'
import { parseOneOf, parseWhole } from './parse.ts'
import { withSession } from './session.ts'
import type { CommandSession } from './session.ts'

type ListOptions = PageOptions & { state: string; json?: boolean }
type Verb = 'approve' | 'reject'

const verbs = {
  approve: 'do what was asked; by another person than the one who asked',
  reject: 'do not; the one who asked may take it back like this too',
} as const

export function addApproval(program: Command, io: Io): void {
  const command = program
    .command('approval')
    .description('what waits for a second person: list, show, approve, reject')
  const list = command
    .command('list')
    .description('what waits, oldest first')
    .option('--state <STATE>', `${proposalStates.join(', ')} or all`, 'open')
    .option('--json', 'print the result as JSON')
    .action((options: ListOptions) => runList(io, options))
  withExamples(addPaging(list), ['approval list', 'approval list --state all --json'])
  withExamples(
    command
      .command('show')
      .description('one proposal: what was asked, by whom, why it waits, what it would match')
      .argument('<NUMBER>', 'the proposal')
      .option('--json', 'print the result as JSON')
      .action((number: string, options: { json?: boolean }) => runShow(io, number, options)),
    ['approval show 3'],
  )
  for (const [verb, description] of Object.entries(verbs)) {
    withExamples(
      command
        .command(verb)
        .description(description)
        .argument('<NUMBER>', 'the proposal')
        .option('--json', 'print the result as JSON')
        .action((number: string, options: { json?: boolean }) =>
          runDecide(io, number, verb as Verb, options),
        ),
      [`approval ${verb} 3`],
    )
  }
}

async function runList(io: Io, options: ListOptions): Promise<void> {
  const page = parsePage(options)
  const state = parseOneOf(options.state, '--state', [...proposalStates, 'all'])
  const read = await withSession(io, ({ db }) =>
    listProposals(db, { state, limit: page.limit + 1, offset: page.offset }),
  )
  const { rows, more } = onPage(read, page)
  if (options.json === true) {
    printJson(io, { proposals: rows, page: page.number, more })
    return
  }
  const none = state === 'open' ? 'Nothing waits for a second person.' : 'No such proposal.'
  printTable(io, rows, columns, none)
  tellMore(io, page, more)
}

const columns: Column<ProposalRow>[] = [
  { head: 'proposal', cell: (row) => row.id, align: 'right' },
  { head: 'state', cell: (row) => row.state },
  { head: 'what', cell: whatOf },
  { head: 'bank', cell: (row) => row.bank },
  { head: 'why it waits', cell: (row) => row.reason },
  { head: 'by', cell: (row) => row.by },
  { head: 'since', cell: (row) => shortTime(row.at) },
  { head: 'accounts', cell: (row) => row.result?.seen?.accounts ?? '', align: 'right' },
]

function whatOf(row: ProposalRow): string {
  if (row.kind === 'content.add') return `a content (${row.signalTypes.join(', ')})`
  return `list ${row.source}: +${row.adds} −${row.deletes}`
}

async function runShow(io: Io, number: string, options: { json?: boolean }): Promise<void> {
  await withSession(io, async ({ db, nowMs }) => {
    const row = await proposalOf(db, parseNumber(number))
    if (options.json === true) printJson(io, { proposal: row })
    else {
      printProposal(io, row)
      if (row.state === 'open') io.out(nextStep(row, nowMs()))
    }
  })
}

async function runDecide(
  io: Io,
  number: string,
  verb: Verb,
  options: { json?: boolean },
): Promise<void> {
  const proposal = parseNumber(number)
  await withSession(io, async (session) => {
    const { db } = session
    const row = await proposalOf(db, proposal)
    if (options.json !== true) printProposal(io, row)
    const principal = await session.principal()
    const decided = await decideProposal(db, { proposal, verb, principal, nowMs: session.nowMs() })
    const applied =
      verb === 'approve' && decided.import !== null
        ? await runImport(io, session, decided.import, principal)
        : undefined
    if (options.json === true) {
      printJson(io, { proposal, verb, ...decided, ...(applied && { applied }) })
      return
    }
    const already = decided.changed ? '' : ' already'
    if (verb === 'reject')
      io.out(`proposal ${proposal} is rejected${already}: nothing comes of it.`)
    else if (applied === undefined)
      io.out(
        `proposal ${proposal} is approved${already}: content ${decided.content} of ${decided.bank}.`,
      )
    else
      io.out(
        `proposal ${proposal} is approved${already}: ${count(applied.added, 'content')} added to ${decided.bank}, ${applied.removed} removed.`,
      )
    if (verb === 'approve' && !decided.secondPerson)
      io.out('Nobody else is registered: the ledger says that no second person approved it.')
  })
}

/** The approval has set it going; whoever runs this command or bank import brings it to its end. */
function runImport(io: Io, session: CommandSession, id: number, principal: number) {
  return applyImport({
    db: session.db,
    import: id,
    principal,
    clock: session.nowMs,
    onProgress: importProgress(io),
    signal: io.stop,
  })
}

async function proposalOf(db: Database, proposal: number): Promise<ProposalRow> {
  const [row] = await listProposals(db, { state: 'all', proposal, limit: 1, offset: 0 })
  if (row === undefined) throw new UsageError(`there is no proposal ${proposal}`)
  return row
}

function parseNumber(text: string): number {
  return parseWhole(text, 'a proposal number', { min: 1, max: 2_147_483_647 })
}

function printProposal(io: Io, row: ProposalRow): void {
  printFacts(io, [
    ['proposal', row.id],
    ['what', whatOf(row)],
    ['bank', row.bank],
    ['note', row.note ?? undefined],
    ['why it waits', row.reason],
    ['by', `${row.by}, ${shortTime(row.at)}`],
    [
      'state',
      row.decidedBy === null
        ? row.state
        : `${row.state} by ${row.decidedBy}, ${shortTime(row.decidedAt)}`,
    ],
  ])
  if (row.result !== null) {
    if (row.result.harmless > 0) io.out('a harmless picture would match it.')
    printAdmission(io, row.result)
  }
}

function nextStep({ id, aloneUntil, by }: ProposalRow, nowMs: number): string {
  const alone =
    aloneUntil === null
      ? ''
      : aloneUntil.getTime() <= nowMs
        ? `, and so may ${by}`
        : `, and so may ${by} from ${shortTime(aloneUntil)} on`
  return `Another person may approve it${alone}: approval approve ${id}, or approval reject ${id}`
}
