// hold list: everything that does not move by itself, why, and what would move it.
import type { Command } from 'commander'
import { casesWithoutAction, heldContents, listHolds } from '../cases/holds.ts'
import type { HoldRow } from '../cases/holds.ts'
import type { Io } from './io.ts'
import { withExamples } from './examples.ts'
import { printJson, printSection, printTable, shortTime } from './output.ts'
import { addPaging, onPage, parsePage, tellMore } from './paging.ts'
import type { PageOptions } from './paging.ts'
import { parseWhole } from './parse.ts'
import { retryAction } from '../steps/withdraw.ts'
import { withSession } from './session.ts'

/** A released action that nobody has taken up for this long is stuck. */
const stuckMs = 2 * 60_000

type ListOptions = PageOptions & { json?: boolean }

export function addHold(program: Command, io: Io): void {
  const command = program.command('hold').description('what does not move by itself: list, retry')
  const list = command
    .command('list')
    .description(
      'actions that are held, wait or were given up, and held contents: why and what to do',
    )
    .option('--json', 'print the result as JSON')
    .action((options: ListOptions) => runList(io, options))
  withExamples(addPaging(list), ['hold list', 'hold list --json'])
  withExamples(
    command
      .command('retry')
      .description('try a dead or refused action again, after its cause is mended')
      .argument('<ACTION>', 'the number that case show or show prints')
      .option('--json', 'print the result as JSON')
      .action((action: string, options: { json?: boolean }) => runRetry(io, action, options)),
    ['hold retry 31'],
  )
}

async function runRetry(io: Io, text: string, options: { json?: boolean }): Promise<void> {
  const before = parseWhole(text, 'an action number', { min: 1, max: Number.MAX_SAFE_INTEGER })
  await withSession(io, async (session) => {
    const principal = await session.principal()
    const action = await retryAction(session.db, {
      action: before,
      principal,
      nowMs: session.nowMs(),
    })
    if (options.json === true) printJson(io, { before, action })
    else io.out(`action ${before} is tried again as action ${action}; a running service sends it.`)
  })
}

async function runList(io: Io, options: ListOptions): Promise<void> {
  const page = parsePage(options)
  await withSession(io, async ({ db, nowMs }) => {
    const read = await listHolds(db, {
      stuckBefore: new Date(nowMs() - stuckMs),
      limit: page.limit + 1,
      offset: page.offset,
    })
    const { rows, more } = onPage(read, page)
    const contents = await heldContents(db, page.limit)
    const idle = await casesWithoutAction(db, page.limit)
    if (options.json === true) {
      const actions = rows.map((row) => ({ ...row, todo: whatToDo(row) }))
      printJson(io, { actions, contents, casesWithoutAction: idle, page: page.number, more })
      return
    }
    if (rows.length + contents.length + idle.length === 0) {
      io.out('Nothing is held, nothing waits, nothing was given up.')
      return
    }
    printTable(
      io,
      rows,
      [
        { head: 'state', cell: (row) => row.state },
        { head: 'why', cell: (row) => row.why },
        { head: 'kind', cell: (row) => row.kind },
        { head: 'actions', cell: (row) => row.actions, align: 'right' },
        { head: 'case', cell: (row) => row.caseNumber ?? '', align: 'right' },
        { head: 'oldest', cell: (row) => shortTime(row.oldest) },
        { head: 'what to do', cell: whatToDo },
      ],
      'No action waits.',
    )
    tellMore(io, page, more)
    printSection(
      io,
      'Bank contents set aside by a flood (their matches wait for a person)',
      contents,
      [
        { head: 'bank', cell: (row) => row.bank },
        { head: 'content', cell: (row) => row.content, align: 'right' },
        { head: 'since', cell: (row) => shortTime(row.heldAt) },
        { head: 'held actions', cell: (row) => row.actions, align: 'right' },
        {
          head: 'what to do',
          cell: (row) =>
            `bank resume ${row.bank} ${row.content} or bank remove ${row.bank} ${row.content}`,
        },
      ],
    )
    printSection(io, 'Open cases without an action', idle, [
      { head: 'case', cell: (row) => row.caseNumber, align: 'right' },
      { head: 'why', cell: (row) => row.reason },
      { head: 'opened', cell: (row) => shortTime(row.openedAt) },
      { head: 'what to do', cell: (row) => `case show ${row.caseNumber}` },
    ])
  })
}

export function whatToDo(row: Pick<HoldRow, 'state' | 'why' | 'kind' | 'caseNumber'>): string {
  const { state, why, kind, caseNumber } = row
  switch (state) {
    case 'held':
      return caseNumber === null
        ? 'no case yet: it is opened with the next look at this blob'
        : `case confirm ${caseNumber} or case release ${caseNumber}`
    case 'dead':
      return caseNumber === null
        ? 'given up after 72 h; mend the cause, then hold retry (show tells the action)'
        : `given up after 72 h; mend the cause, then hold retry (case show ${caseNumber})`
    case 'planned':
      if (why === 'paused') return 'resume'
      if (why === 'daily-cap') return `leaves as the 24 hours pass, or raise ${capSetting(kind)}`
      return 'waits for the ledger: is the service running? doctor --only ledger'
    case 'released':
    case 'sending':
      return kind === 'label'
        ? 'is the service running, and is a label key configured? doctor'
        : 'is tried again by itself; doctor --only PDS says what is wrong there'
    default:
      return state satisfies never
  }
}

function capSetting(kind: HoldRow['kind']): string {
  return kind === 'label' ? 'BLOBWATCH_LABELS_PER_DAY' : 'BLOBWATCH_TAKEDOWNS_PER_DAY'
}
