// reverse list and reverse show: what was taken back, and what could not be, as it stands now.
import type { Command } from 'commander'
import { forMachines, uriOf } from '../cases/for-machines.ts'
import {
  listReversals,
  notUndoneStates,
  reversalActions,
  reversalCounts,
  reversalHead,
  reversalStates,
} from '../cases/reversal.ts'
import type {
  ReversalActionRow,
  ReversalCount,
  ReversalHead,
  ReversalState,
} from '../cases/reversal.ts'
import type { Database } from '../db/client.ts'
import type { Io } from './io.ts'
import { withExamples } from './examples.ts'
import { count, printFacts, printJson, printSection, printTable, shortTime } from './output.ts'
import type { Column } from './output.ts'
import { addPaging, onPage, parsePage, tellMore } from './paging.ts'
import type { Page, PageOptions } from './paging.ts'
import { parseList, parseWhole } from './parse.ts'
import { scopeInWords } from './reverse-scope.ts'
import { withSession } from './session.ts'

type ShowOptions = PageOptions & { state?: string; json?: boolean }

/** reverse itself has options, and takes those that it knows (--json) from the words behind its verbs: they are read from both. */
export function addReverseShow(command: Command, io: Io): void {
  const show = command
    .command('show')
    .description('one reversal: counts as they are now, and what is not undone')
    .argument('<ID>', 'the reversal')
    .option('--state <STATES>', `list these instead: ${reversalStates.join(', ')}`)
    .option('--json', 'print the result as JSON')
    .action((id: string, _: ShowOptions, verb: Command) => runShow(io, id, verb.optsWithGlobals()))
  withExamples(addPaging(show), ['reverse show 4', 'reverse show 4 --state refused,dead --json'])
  const list = command
    .command('list')
    .description('the reversals, newest first')
    .option('--json', 'print the result as JSON')
    .action((_: ShowOptions, verb: Command) => runList(io, verb.optsWithGlobals()))
  withExamples(addPaging(list), ['reverse list'])
}

/** What a run came to, and what could not be undone so far. */
export async function tellResult(
  io: Io,
  db: Database,
  options: { reversal: number; nowMs: number; json: boolean },
): Promise<void> {
  const { reversal, nowMs, json } = options
  const page = parsePage({})
  await tell(io, db, { id: reversal, nowMs, page, states: notUndoneStates, json })
  if (!json) io.out(`\nreverse show ${reversal} tells how it stands once the undos were sent.`)
}

async function runShow(io: Io, idText: string, options: ShowOptions): Promise<void> {
  const id = parseWhole(idText, 'a reversal', { min: 1, max: 2_147_483_647 })
  const states =
    options.state === undefined
      ? notUndoneStates
      : parseList(options.state, '--state', reversalStates)
  const page = parsePage(options)
  const json = options.json === true
  await withSession(io, ({ db, nowMs }) => tell(io, db, { id, nowMs: nowMs(), page, states, json }))
}

async function tell(
  io: Io,
  db: Database,
  asked: { id: number; nowMs: number; page: Page; states: readonly ReversalState[]; json: boolean },
): Promise<void> {
  const head = await reversalHead(db, asked.id)
  const counts = await reversalCounts(db, asked.id)
  const read = await reversalActions(db, {
    reversal: asked.id,
    states: asked.states,
    now: new Date(asked.nowMs),
    limit: asked.page.limit + 1,
    offset: asked.page.offset,
  })
  const { rows, more } = onPage(read, asked.page)
  if (asked.json) {
    const actions = rows.map(forMachines)
    printJson(io, { reversal: head, counts, actions, page: asked.page.number, more })
    return
  }
  printHead(io, head)
  printSection(io, 'Actions', counts, countColumns)
  printSection(io, asked.states === notUndoneStates ? 'Not undone' : 'Listed', rows, actionColumns)
  tellMore(io, asked.page, more)
  for (const line of remarks(head, counts)) io.out(line)
}

function printHead(io: Io, head: ReversalHead): void {
  printFacts(io, [
    ['reversal', head.id],
    ['of', scopeInWords(head.words)],
    ['released from', head.since === null ? undefined : shortTime(head.since)],
    ['released to', head.until === null ? undefined : shortTime(head.until)],
    ['by', `${head.who}, ${shortTime(head.at)}`],
    ['why', head.reason ?? undefined],
    ['contents', head.disables ? 'disabled first' : undefined],
    [
      'state',
      head.endedAt === null
        ? `open: reverse --continue ${head.id} goes on`
        : `ended ${shortTime(head.endedAt)}`,
    ],
  ])
}

function remarks(head: ReversalHead, counts: readonly ReversalCount[]): string[] {
  const of = (state: ReversalState, kind?: string) =>
    counts
      .filter((row) => row.state === state && (kind === undefined || row.kind === kind))
      .reduce((sum, row) => sum + row.actions, 0)
  const labels = of('undone', 'label') + of('under-way', 'label')
  return [
    ...(head.endedAt !== null && counts.length === 0 ? ['There was nothing to take back.'] : []),
    ...(of('under-way') > 0
      ? [`${count(of('under-way'), 'undo', 'undos')} on the way: a running service sends them.`]
      : []),
    ...(labels > 0
      ? [
          `${count(labels, 'label')} negated on the stream; what its followers did meanwhile is theirs to undo.`,
        ]
      : []),
    ...(of('dead') > 0 ? ['What is dead was never answered: hold list shows it.'] : []),
  ]
}

async function runList(io: Io, options: ShowOptions): Promise<void> {
  const page = parsePage(options)
  const read = await withSession(io, ({ db }) =>
    listReversals(db, { limit: page.limit + 1, offset: page.offset }),
  )
  const { rows, more } = onPage(read, page)
  if (options.json === true) {
    printJson(io, { reversals: rows, page: page.number, more })
    return
  }
  printTable(io, rows, listColumns, 'Nothing was reversed.')
  tellMore(io, page, more)
}

const listColumns: Column<ReversalHead & { actions: number }>[] = [
  { head: 'reversal', cell: (row) => row.id, align: 'right' },
  { head: 'when', cell: (row) => shortTime(row.at) },
  { head: 'who', cell: (row) => row.who },
  { head: 'of', cell: (row) => scopeInWords(row.words) },
  { head: 'actions', cell: (row) => row.actions, align: 'right' },
  { head: 'state', cell: (row) => (row.endedAt === null ? 'open' : 'ended') },
]

const stateWords: Record<ReversalState, string> = {
  stopped: 'stopped before anything was sent',
  undone: 'undone',
  gone: 'gone on the other side: nothing of ours is in force',
  'under-way': 'undo on the way',
  'other-cause': 'stays: another content wants it',
  'nothing-to-undo': 'undone before',
  'not-ours': 'no longer ours: somebody else has it down',
  refused: 'refused by the other side',
  dead: 'given up: no answer',
  'acted-again': 'acted on again before the undo left',
}

const countColumns: Column<ReversalCount>[] = [
  { head: 'what', cell: (row) => row.kind },
  { head: 'how it stands', cell: (row) => stateWords[row.state] },
  { head: 'actions', cell: (row) => row.actions, align: 'right' },
]

const actionColumns: Column<ReversalActionRow>[] = [
  { head: 'action', cell: (row) => row.action, align: 'right' },
  { head: 'what', cell: (row) => row.kind },
  { head: 'why', cell: whyOf },
  { head: 'subject', cell: uriOf },
]

function whyOf(row: ReversalActionRow): string {
  if (row.state === 'other-cause') {
    return row.banks.length === 0
      ? 'stayed for another content that is gone by now: reverse again takes it back'
      : `${row.banks.join(', ')} ${row.banks.length === 1 ? 'matches' : 'match'} there too`
  }
  const said = row.state === 'refused' || row.state === 'dead' ? row.lastError : null
  return said === null ? stateWords[row.state] : `${stateWords[row.state]} (${said})`
}
