// legal-hold add, list, lift: what has to be preserved is not erased. Always called by its full name: a held action is
// something else.
import type { Command } from 'commander'
import { isValidDid } from '@atproto/syntax'
import { legalHolds } from '../cases/personal.ts'
import type { LegalHoldRow } from '../cases/personal.ts'
import { UsageError } from '../domain/errors.ts'
import { liftLegalHold, placeLegalHold } from '../steps/personal.ts'
import { parseCase } from './case-show.ts'
import { withExamples } from './examples.ts'
import type { Io } from './io.ts'
import { printJson, printTable, shortTime } from './output.ts'
import type { Column } from './output.ts'
import { addPaging, onPage, parsePage, tellMore } from './paging.ts'
import type { PageOptions } from './paging.ts'
import { parseWhole } from './parse.ts'
import { withSession } from './session.ts'

type AddOptions = {
  account?: string
  case?: string
  reason: string
  authority?: string
  json?: boolean
}
type ListOptions = PageOptions & { all?: boolean; json?: boolean }
type LiftOptions = { reason: string; json?: boolean }

const textCharsMax = 2000

export function addLegalHold(program: Command, io: Io): void {
  const command = program
    .command('legal-hold')
    .description('keep an account or a case from being erased: add, list, lift')
  withExamples(
    command
      .command('add')
      .description('place a legal hold; nothing about it is erased until it is lifted')
      .option('--account <DID>', 'on everything about this account')
      .option('--case <N>', 'on a case, and so on every account in it')
      .requiredOption('--reason <TEXT>', 'why; kept sealed behind the ledger entry')
      .option('--authority <TEXT>', 'who demands it: the court, the office, the file number')
      .option('--json', 'print the result as JSON')
      .action((options: AddOptions) => runAdd(io, options)),
    [
      'legal-hold add --case 7 --reason "preservation request" --authority "file 12 Js 34/26"',
      'legal-hold add --account did:plc:ewvi7nxzyoun6zhxrhs64oiz --reason "report sent, kept for a year"',
    ],
  )
  const list = command
    .command('list')
    .description('the legal holds that stand')
    .option('--all', 'those that were lifted too')
    .option('--json', 'print the result as JSON')
    .action((options: ListOptions) => runList(io, options))
  withExamples(addPaging(list), ['legal-hold list', 'legal-hold list --all --json'])
  withExamples(
    command
      .command('lift')
      .description('end a legal hold; erasures that waited for it are done within a minute')
      .argument('<ID>', 'the number that legal-hold list prints')
      .requiredOption('--reason <TEXT>', 'why; kept sealed behind the ledger entry')
      .option('--json', 'print the result as JSON')
      .action((id: string, options: LiftOptions) => runLift(io, id, options)),
    ['legal-hold lift 3 --reason "the year is over"'],
  )
}

async function runAdd(io: Io, options: AddOptions): Promise<void> {
  const { account, case: number } = options
  if ((account === undefined) === (number === undefined))
    throw new UsageError('a legal hold is on --account DID or on --case N: one of them')
  if (account !== undefined && !isValidDid(account))
    throw new UsageError('--account is a DID (did:plc:… or did:web:…)')
  const reason = parseText(options.reason, '--reason')
  const authority =
    options.authority === undefined ? undefined : parseText(options.authority, '--authority')
  const on = account === undefined ? { caseNumber: parseCase(number ?? '') } : { did: account }
  await withSession(io, async (session) => {
    const id = await placeLegalHold(session.db, {
      ...on,
      reason,
      ...(authority !== undefined && { authority }),
      principal: await session.principal(),
      nowMs: session.nowMs(),
    })
    if (options.json === true) printJson(io, { id, ...on })
    else
      io.out(
        `legal hold ${id} stands${number === undefined ? '' : ` on case ${number}`}. Nothing about it is erased until legal-hold lift ${id}.`,
      )
  })
}

async function runList(io: Io, options: ListOptions): Promise<void> {
  const page = parsePage(options)
  await withSession(io, async ({ db }) => {
    const read = await legalHolds(db, {
      all: options.all === true,
      limit: page.limit + 1,
      offset: page.offset,
    })
    const { rows, more } = onPage(read, page)
    if (options.json === true) {
      printJson(io, { legalHolds: rows, more })
      return
    }
    printTable(io, rows, holdColumns(options.all === true), 'No legal hold stands.')
    tellMore(io, page, more)
  })
}

function holdColumns(all: boolean): Column<LegalHoldRow>[] {
  return [
    { head: 'legal hold', cell: (row) => row.id, align: 'right' },
    {
      head: 'on',
      cell: (row) => (row.caseNumber === null ? (row.did ?? '(erased)') : `case ${row.caseNumber}`),
    },
    { head: 'since', cell: (row) => shortTime(row.at) },
    { head: 'by', cell: (row) => row.by },
    { head: 'reason', cell: (row) => row.reason },
    { head: 'authority', cell: (row) => row.authority ?? '' },
    ...(all ? [{ head: 'lifted', cell: (row: LegalHoldRow) => shortTime(row.liftedAt) }] : []),
  ]
}

async function runLift(io: Io, text: string, options: LiftOptions): Promise<void> {
  const id = parseWhole(text, 'a legal hold', { min: 1, max: 2_147_483_647 })
  const reason = parseText(options.reason, '--reason')
  await withSession(io, async (session) => {
    const principal = await session.principal()
    await liftLegalHold(session.db, { id, reason, principal, nowMs: session.nowMs() })
    if (options.json === true) printJson(io, { id, lifted: true })
    else
      io.out(`legal hold ${id} is lifted. A running service does the erasures that waited for it.`)
  })
}

function parseText(text: string, what: string): string {
  const trimmed = text.trim()
  if (trimmed === '' || trimmed.length > textCharsMax)
    throw new UsageError(`${what} has 1 to ${textCharsMax} characters`)
  return trimmed
}
