// observe report: what would have been done, before anything is switched on.
import type { Command } from 'commander'
import {
  observedByBank,
  observedByContent,
  observedByDistance,
  observedByKind,
  observedTotals,
} from '../cases/observed.ts'
import type { ObservedKind } from '../cases/observed.ts'
import type { Config } from '../config.ts'
import type { Database } from '../db/client.ts'
import type { Io } from './io.ts'
import { withExamples } from './examples.ts'
import { count, printJson, printSection, shortTime } from './output.ts'
import { parseSince } from './parse.ts'
import { withSession } from './session.ts'

type ReportOptions = { since: string; json?: boolean }
type Cap = { what: string; wouldAct: number; perDay: number; days: number | null }

const contentsShown = 10

export function addObserve(program: Command, io: Io): void {
  const command = program.command('observe').description('what observe mode saw')
  withExamples(
    command
      .command('report')
      .description(
        'what would have been done: by bank, action and distance, and how long the caps would have taken',
      )
      .option('--since <WHEN>', 'a span back from now (7d, 12h) or a day (2026-11-01)', '7d')
      .option('--json', 'print the result as JSON')
      .action((options: ReportOptions) => run(io, options)),
    ['observe report', 'observe report --since 2026-11-01 --json'],
  )
}

async function run(io: Io, options: ReportOptions): Promise<void> {
  await withSession(io, async ({ config, db, nowMs }) => {
    const since = parseSince(options.since, '--since', nowMs())
    const report = await gather(db, since, config.limits)
    if (options.json === true) printJson(io, report)
    else if (report.totals.decisions === 0)
      io.out(`Nothing matched in observe mode since ${shortTime(since)}.`)
    else print(io, report)
  })
}

async function gather(db: Database, since: Date, limits: Config['limits']) {
  const byKind = await observedByKind(db, since)
  const byContent = await observedByContent(db, since, contentsShown)
  return {
    since,
    totals: await observedTotals(db, since),
    byBank: await observedByBank(db, since),
    byKind,
    byDistance: await observedByDistance(db, since),
    byContent,
    caps: capsFor(byKind, limits),
    actionsPerContent: limits.actionsPerContent,
  }
}

function capsFor(byKind: ObservedKind[], limits: Config['limits']): Cap[] {
  const cap = (what: string, perDay: number, isLabel: boolean): Cap => {
    const wouldAct = byKind
      .filter((row) => (row.kind === 'label') === isLabel)
      .reduce((sum, row) => sum + row.wouldAct, 0)
    return { what, wouldAct, perDay, days: perDay === 0 ? null : Math.ceil(wouldAct / perDay) }
  }
  return [
    cap('takedowns', limits.takedownsPerDay, false),
    cap('labels', limits.labelsPerDay, true),
  ].filter((row) => row.wouldAct > 0)
}

function print(io: Io, report: Awaited<ReturnType<typeof gather>>): void {
  const { totals, caps, byContent, actionsPerContent } = report
  io.out(
    `Since ${shortTime(report.since)}: ${count(totals.decisions, 'match', 'matches')} in observe mode, ` +
      `${count(totals.blobs, 'blob')}, ${count(totals.accounts, 'account')}.`,
  )
  printSection(io, 'By bank', report.byBank, [
    { head: 'bank', cell: (row) => row.bank },
    { head: 'matches', cell: (row) => row.decisions, align: 'right' },
    { head: 'blobs', cell: (row) => row.blobs, align: 'right' },
    { head: 'accounts', cell: (row) => row.accounts, align: 'right' },
  ])
  printSection(io, 'What would have been done, with the policies of today', report.byKind, [
    { head: 'action', cell: (row) => row.kind },
    { head: 'subjects', cell: (row) => row.subjects, align: 'right' },
    { head: 'at once', cell: (row) => row.wouldAct, align: 'right' },
    { head: 'by a person', cell: (row) => row.wouldHold, align: 'right' },
  ])
  printSection(io, 'By distance', report.byDistance, [
    { head: 'type', cell: (row) => row.type },
    { head: 'distance', cell: (row) => row.band },
    { head: 'blobs', cell: (row) => row.blobs, align: 'right' },
    { head: 'matches', cell: (row) => row.decisions, align: 'right' },
  ])
  printSection(io, 'Contents that would have caused most', byContent, [
    { head: 'bank', cell: (row) => row.bank },
    { head: 'content', cell: (row) => row.content, align: 'right' },
    { head: 'actions', cell: (row) => row.actions, align: 'right' },
    {
      head: '',
      cell: (row) => (row.actions > actionsPerContent ? 'over the flood limit: would be held' : ''),
    },
  ])
  for (const { what, wouldAct, perDay, days } of caps) {
    io.out(
      days === null
        ? `${what}: ${wouldAct} at once, and the cap is 0: none would leave.`
        : `${what}: ${wouldAct} at once, cap ${perDay} in 24 h: ${count(days, 'day')} to let them go.`,
    )
  }
}
