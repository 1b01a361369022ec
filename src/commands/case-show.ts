// case show: one case in full. `show N` prints the same.
import type { Command } from 'commander'
import { blobForMachines, forMachines, matchForMachines, uriOf } from '../cases/for-machines.ts'
import { actionsAbout, decisionsAbout, labelsAbout, matchesOf } from '../cases/about.ts'
import type { DecisionRow, Place } from '../cases/about.ts'
import { appealsOf } from '../cases/appeals.ts'
import type { AppealRow } from '../cases/appeals.ts'
import { caseBlobs, caseHead, caseHistory } from '../cases/case-file.ts'
import type { CaseEvent, CaseHead } from '../cases/case-file.ts'
import { caseContents } from '../cases/feedback.ts'
import type { CaseContent } from '../cases/feedback.ts'
import type { Database } from '../db/client.ts'
import type { Io } from './io.ts'
import { withExamples } from './examples.ts'
import { count, printFacts, printJson, printSection, shortTime } from './output.ts'
import type { Column } from './output.ts'
import { pageLimits } from './paging.ts'
import { parseWhole } from './parse.ts'
import { actionColumns, blobColumns, decisionColumns, matchColumns } from './places.ts'
import { withSession } from './session.ts'

export const partRowsDefault = 100

export type ShowOptions = { limit?: string; json?: boolean }

export function addCaseShow(command: Command, io: Io): void {
  withExamples(
    command
      .command('show')
      .description('one case: blobs, places, matches, decisions, actions, history; no pixels')
      .argument('<NUMBER>', 'the case')
      .option('--limit <N>', 'rows of each part', String(partRowsDefault))
      .option('--json', 'print the result as JSON')
      .action((number: string, options: ShowOptions) =>
        withSession(io, ({ db }) => showCase(io, db, parseCase(number), options)),
      ),
    ['case show 7', 'case show 7 --json'],
  )
}

export function parseCase(text: string): number {
  return parseWhole(text, 'a case number', { min: 1, max: 2_147_483_647 })
}

export function parsePartRows(options: ShowOptions): number {
  return parseWhole(options.limit ?? String(partRowsDefault), '--limit', {
    min: 1,
    max: pageLimits.rowsMax,
  })
}

export async function showCase(
  io: Io,
  db: Database,
  caseNumber: number,
  options: ShowOptions,
): Promise<void> {
  const limit = parsePartRows(options)
  const head = await caseHead(db, caseNumber)
  const blobs = await caseBlobs(db, caseNumber, limit)
  const cids = blobs.map((blob) => blob.cid)
  const matches = await matchesOf(db, cids, limit)
  const contents = await caseContents(db, caseNumber, limit)
  const decisions = await decisionsAbout(db, { caseNumber }, limit)
  const actions = await actionsAbout(db, { caseNumber }, limit)
  const labels = await labelsAbout(db, { caseNumber }, limit)
  const appeals = await appealsOf(db, caseNumber)
  const history = await caseHistory(db, caseNumber)
  if (options.json === true) {
    printJson(io, {
      case: head,
      blobs: blobs.map(blobForMachines),
      places: placesOf(decisions).map(uriOf),
      matches: matches.map(matchForMachines),
      contents,
      decisions: decisions.map(forMachines),
      actions: actions.map(forMachines),
      labels,
      appeals,
      history,
    })
    return
  }
  printHead(io, head)
  printSection(io, 'Blobs', blobs, blobColumns)
  printSection(io, 'Places', placesOf(decisions), [{ head: 'place', cell: uriOf }])
  printSection(io, 'Matches', matches, matchColumns)
  printSection(io, 'Contents behind them', contents, contentColumns)
  printSection(io, 'Decisions', decisions, decisionColumns)
  printSection(io, 'Actions', actions, actionColumns)
  printSection(io, 'Labels', labels, [
    { head: 'label', cell: (row) => (row.neg ? `not ${row.val}` : row.val) },
    { head: 'on', cell: (row) => row.uri },
  ])
  printSection(io, 'Appeals', appeals, appealColumns)
  printSection(io, 'History', history, historyColumns)
  const hidden = head.blobs - blobs.length
  if (hidden > 0) io.out(`\n${count(hidden, 'blob')} more: --limit ${pageLimits.rowsMax}`)
  io.out(`\n${nextStep(head)}`)
}

function printHead(io: Io, head: CaseHead): void {
  printFacts(io, [
    ['case', head.id],
    ['state', head.state],
    ['why', head.reason],
    ['opened', shortTime(head.openedAt)],
    [
      'decided',
      head.decidedAt === null
        ? undefined
        : `${shortTime(head.decidedAt)} by ${head.decidedBy ?? 'nobody'}`,
    ],
    [
      'concerns',
      `${count(head.blobs, 'blob')} in ${count(head.places, 'place')} of ${count(head.accounts, 'account')}`,
    ],
  ])
}

function nextStep(head: CaseHead): string {
  switch (head.state) {
    case 'open':
      return `case confirm ${head.id} does what waits; case release ${head.id} lets it be, for good; with --disable its content matches nothing more.`
    case 'acted':
      return `The policy acted by itself. case overturn ${head.id} takes it back; case confirm ${head.id} says that it was right.`
    case 'confirmed':
      return `case overturn ${head.id} takes back what was done.`
    case 'released':
    case 'overturned':
      return 'Nothing is done about these blobs again without a person.'
    default:
      return head.state satisfies never
  }
}

/** Each place once: a place that was decided twice is still one. */
export function placesOf(decisions: readonly DecisionRow[]): Place[] {
  return [...new Map(decisions.map((row) => [uriOf(row), row])).values()]
}

const contentColumns: Column<CaseContent>[] = [
  { head: 'content', cell: (row) => row.content, align: 'right' },
  { head: 'bank', cell: (row) => row.bank },
  { head: 'blobs', cell: (row) => row.blobs, align: 'right' },
  { head: 'state', cell: contentState },
  {
    head: 'reviewed',
    cell: (row) =>
      row.reviewed === null ? 'never' : `${row.reviewed} ${shortTime(row.reviewedAt)}`,
  },
]

function contentState({ removed, disableUntilTs }: CaseContent): string {
  if (removed) return 'removed'
  if (disableUntilTs === 0) return 'disabled'
  return disableUntilTs === 1
    ? 'enabled'
    : `disabled until ${shortTime(new Date(disableUntilTs * 1000))}`
}

const historyColumns: Column<CaseEvent>[] = [
  { head: 'when', cell: (row) => shortTime(row.at) },
  { head: 'who', cell: (row) => row.who ?? '' },
  { head: 'what', cell: (row) => row.event },
  { head: 'note', cell: (row) => row.note ?? '' },
]

const appealColumns: Column<AppealRow>[] = [
  { head: 'appeal', cell: (row) => row.id, align: 'right' },
  { head: 'received', cell: (row) => shortTime(row.receivedAt) },
  { head: 'outcome', cell: (row) => row.outcome ?? 'open' },
  {
    head: 'decided',
    cell: (row) =>
      row.resolvedAt === null ? '' : `${shortTime(row.resolvedAt)} by ${row.resolvedBy ?? ''}`,
  },
]
