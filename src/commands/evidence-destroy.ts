// evidence destroy, requests, approve, reject: before its clock evidence goes only when one person asks and another
// approves, and never under a legal hold.
import type { Command } from 'commander'
import { destroyRequests } from '../evidence/evidence-rows.ts'
import type { DestroyRequest } from '../evidence/evidence-rows.ts'
import { sweepEvidence } from '../roles/evidence-clocks.ts'
import { openStore } from '../service-vault.ts'
import { askToDestroy, decideDestroy } from '../steps/evidence.ts'
import { errorMessage } from '../domain/errors.ts'
import { parseEvidence, parseReason } from './evidence-session.ts'
import { withExamples } from './examples.ts'
import type { Io } from './io.ts'
import { printJson, printTable, shortTime } from './output.ts'
import type { Column } from './output.ts'
import { addPaging, onPage, parsePage, tellMore } from './paging.ts'
import type { PageOptions } from './paging.ts'
import { parseOneOf, parseWhole } from './parse.ts'
import { withSession } from './session.ts'

type AskOptions = { reason: string; authority: string; json?: boolean }
type ListOptions = PageOptions & { state: string; json?: boolean }
type Verb = 'approve' | 'reject'

const states = ['open', 'approved', 'rejected'] as const
const verbs = {
  approve: 'destroy both copies now; by another person than the one who asked',
  reject: 'do not; the one who asked may take it back like this too',
} as const

export function addEvidenceDestroy(command: Command, io: Io): void {
  withExamples(
    command
      .command('destroy')
      .description(
        'ask that both copies are destroyed before their clocks; another person approves',
      )
      .argument('<ID>', 'the evidence')
      .requiredOption('--reason <TEXT>', 'why; kept sealed behind the ledger entry')
      .requiredOption('--authority <TEXT>', 'on whose word: a letter, an order; kept sealed too')
      .option('--json', 'print the result as JSON')
      .action((id: string, options: AskOptions) => runAsk(io, id, options)),
    ['evidence destroy 12 --reason "asked for by the police" --authority "LKA 44-1203/26"'],
  )
  const list = command
    .command('requests')
    .description('requests to destroy, oldest first')
    .option('--state <STATE>', `${states.join(', ')} or all`, 'open')
    .option('--json', 'print the result as JSON')
    .action((options: ListOptions) => runList(io, options))
  withExamples(addPaging(list), ['evidence requests', 'evidence requests --state all --json'])
  for (const [verb, description] of Object.entries(verbs)) {
    withExamples(
      command
        .command(verb)
        .description(description)
        .argument('<REQUEST>', 'the request that evidence requests shows')
        .option('--json', 'print the result as JSON')
        .action((request: string, options: { json?: boolean }) =>
          runDecide(io, request, verb as Verb, options),
        ),
      [`evidence ${verb} 3`],
    )
  }
}

async function runAsk(io: Io, text: string, options: AskOptions): Promise<void> {
  const evidence = parseEvidence(text)
  const reason = parseReason(options.reason, '--reason')
  const authority = parseReason(options.authority, '--authority')
  await withSession(io, async (session) => {
    const principal = await session.principal()
    const nowMs = session.nowMs()
    const asked = await askToDestroy(session.db, { evidence, reason, authority, principal, nowMs })
    if (options.json === true) printJson(io, { evidence, ...asked })
    else
      io.out(
        `request ${asked.request}${asked.asked ? '' : ' was open already'}: evidence ${evidence} is destroyed when another person says evidence approve ${asked.request}`,
      )
  })
}

async function runList(io: Io, options: ListOptions): Promise<void> {
  const page = parsePage(options)
  const state = parseOneOf(options.state, '--state', [...states, 'all'])
  const read = await withSession(io, ({ db }) =>
    destroyRequests(db, { state, limit: page.limit + 1, offset: page.offset }),
  )
  const { rows, more } = onPage(read, page)
  if (options.json === true) {
    printJson(io, { requests: rows, page: page.number, more })
    return
  }
  printTable(io, rows, columns, 'No request to destroy evidence.')
  tellMore(io, page, more)
}

const columns: Column<DestroyRequest>[] = [
  { head: 'request', cell: (row) => row.request, align: 'right' },
  { head: 'evidence', cell: (row) => row.evidence, align: 'right' },
  { head: 'case', cell: (row) => row.caseNumber, align: 'right' },
  { head: 'by', cell: (row) => row.by },
  { head: 'since', cell: (row) => shortTime(row.at) },
  { head: 'state', cell: (row) => row.state },
  { head: 'decided by', cell: (row) => row.decidedBy ?? '' },
]

async function runDecide(
  io: Io,
  text: string,
  verb: Verb,
  options: { json?: boolean },
): Promise<void> {
  const request = parseWhole(text, 'a request number', { min: 1, max: 2_147_483_647 })
  await withSession(io, async (session) => {
    const { db, config } = session
    const principal = await session.principal()
    const decided = await decideDestroy(db, { request, verb, principal, nowMs: session.nowMs() })
    // At once where this machine reaches the store; the service does what is left within a minute.
    if (verb === 'approve' && config.evidence !== undefined)
      await sweepEvidence({
        db,
        store: openStore(config.evidence),
        nowMs: session.nowMs(),
        signal: io.stop,
        onFailed: (error) => io.err(`not yet: ${errorMessage(error)}`),
      })
    if (options.json === true) printJson(io, { request, verb, ...decided })
    else if (verb === 'reject')
      io.out(`request ${request} is rejected: evidence ${decided.evidence} stays.`)
    else
      io.out(
        `request ${request} is approved: evidence ${decided.evidence} goes now; evidence show ${decided.evidence} tells when it is gone.`,
      )
  })
}
