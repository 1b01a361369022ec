// explain --content: what a bank content is, what it matched in 30 days, what came of it, and other distances.
import type { CausedActions, ContentFacts, MatchBand } from '../cases/explain-content.ts'
import type { DistanceRow } from '../roles/distance-table.ts'
import { contentStoryForMachines, explainContent } from '../roles/explain-content.ts'
import type { ExplainOptions } from './explain.ts'
import type { Io } from './io.ts'
import { printFacts, printJson, printSection, printTable, shortTime } from './output.ts'
import { parseWhole } from './parse.ts'
import { scanProgress } from './scan-progress.ts'
import { withSession } from './session.ts'

export async function runExplainContent(
  io: Io,
  text: string,
  options: ExplainOptions,
): Promise<void> {
  const content = parseWhole(text, 'a content number', { min: 1, max: 2_147_483_647 })
  await withSession(io, async ({ db, config, nowMs, principal }) => {
    const story = await explainContent(db, {
      ...{ content, principal, keepDays: config.keepDays, nowMs: nowMs() },
      onProgress: scanProgress(io, 'blobs compared'),
      signal: io.stop,
    })
    if (options.json === true) {
      printJson(io, contentStoryForMachines(story))
      return
    }
    const { facts, bank } = story
    const own = bank.policy.pdqDistanceMax
    printContent(io, facts, `${bank.mode}, ${bank.class}, PDQ distance up to ${own}`)
    printFound(io, { ...story, own })
  })
}

type Found = {
  days: number
  /** The bank's PDQ distance. */
  own: number
  matched: MatchBand[]
  actions: CausedActions[]
  distances: DistanceRow[]
}

function printFound(io: Io, { days, own, matched, actions, distances }: Found): void {
  printTable(
    io,
    matched,
    [
      { head: 'type', cell: (row) => row.type },
      { head: 'distance', cell: (row) => row.distance, align: 'right' },
      { head: 'variant', cell: (row) => row.variant },
      { head: 'blobs', cell: (row) => row.blobs, align: 'right' },
      { head: 'left out by the ratio', cell: (row) => row.ratio, align: 'right' },
      { head: 'by harmless pictures', cell: (row) => row.negative, align: 'right' },
    ],
    `It matched nothing in the last ${days} days.`,
  )
  printSection(io, `Actions of the last ${days} days that it caused`, actions, [
    { head: 'action', cell: (row) => (row.applied ? row.kind : `undo ${row.kind}`) },
    { head: 'state', cell: (row) => row.state },
    { head: 'actions', cell: (row) => row.actions, align: 'right' },
  ])
  printSection(io, `At another distance, of what was seen in the last ${days} days`, distances, [
    {
      head: 'distance',
      cell: (row) => (row.distance === own ? `${row.distance} (now)` : row.distance),
      align: 'right',
    },
    { head: 'blobs', cell: (row) => row.blobs, align: 'right' },
    { head: 'accounts', cell: (row) => row.accounts, align: 'right' },
    {
      head: 'by',
      cell: (row) => (row.source === 'scan' ? 'comparing what is stored' : 'recorded matches'),
    },
  ])
}

function printContent(io: Io, facts: ContentFacts, bankIs: string): void {
  const { admission, feedback } = facts
  const live = facts.signals.filter(({ state }) => state === 'live')
  printFacts(io, [
    ['content', facts.id],
    ['bank', `${facts.bank} (${bankIs})`],
    ['state', stateOf(facts)],
    [
      'signals',
      live
        .map(({ type, quality }) => (quality === null ? type : `${type} (quality ${quality})`))
        .join(', ') || 'none any more',
    ],
    ['added', shortTime(facts.addedAt)],
    ['from', [facts.source, facts.sourceKey].filter(Boolean).join(', ') || undefined],
    ['provenance', facts.provenance === null ? undefined : JSON.stringify(facts.provenance)],
    ['note', facts.note ?? undefined],
    [
      'admitted',
      admission === null
        ? undefined
        : `${admission.verdict} ${shortTime(new Date(admission.at))}, by ${admission.by}`,
    ],
    [
      'reviewed',
      facts.reviewed === null ? undefined : `${facts.reviewed} ${shortTime(facts.reviewedAt)}`,
    ],
    [
      'feedback',
      feedback.harmful + feedback.notHarmful === 0
        ? undefined
        : `${feedback.harmful} harmful, ${feedback.notHarmful} not harmful`,
    ],
  ])
}

function stateOf(facts: ContentFacts): string {
  const until = facts.disableUntilTs
  if (facts.movedTo !== null) return `moved: it is content ${facts.movedTo} now`
  if (facts.removedAt !== null) return `removed ${shortTime(facts.removedAt)}`
  if (until === 0) return 'disabled'
  if (until > 1) return `disabled until ${shortTime(new Date(until * 1000))}`
  if (facts.heldAt !== null) return `set aside by a flood ${shortTime(facts.heldAt)}`
  return 'enabled'
}
