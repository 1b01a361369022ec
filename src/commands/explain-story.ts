// How the story of a blob is told: one gate after the other, for people and for machines. No signal's value is in it.
import { exchangeSource } from '../banks/exchange-page.ts'
import { reasonInWords, setAsideInWords, waitInWords } from '../cases/explain-words.ts'
import { uriOf } from '../cases/for-machines.ts'
import type { MatchFacts } from '../cases/explain-blob.ts'
import type { Config } from '../config.ts'
import { isOfOther } from '../domain/other-type.ts'
import { pdqQualityMin } from '../domain/blob.ts'
import { blobCidOf } from '../domain/cid.ts'
import type { Explained } from './explain-blob.ts'
import type { Io } from './io.ts'
import { count, printTable, shortTime } from './output.ts'
import type { Column } from './output.ts'
import { actionColumns } from './places.ts'

type Standing = { pauses: string[]; limits: Config['limits'] }

export function printStory(io: Io, explained: Explained, standing: Standing): void {
  const { story } = explained
  io.out(`blob ${blobCidOf(story.cid)}`)
  printSeen(io, explained)
  printSignals(io, explained)
  printMatches(io, explained)
  printDecisions(io, explained)
  printActions(io, explained, standing)
  printNow(io, explained)
}

function gate(io: Io, number: number, name: string, sentences: readonly string[]): void {
  io.out('')
  for (const [index, sentence] of sentences.entries())
    io.out(`${(index === 0 ? `${number} ${name}` : '').padEnd(10)} ${sentence}`)
}

function printSeen(io: Io, { story }: Explained): void {
  const { seen, tries, openScan, scan } = story
  gate(io, 1, 'seen', [
    seen.sightings === 0
      ? 'no sighting is kept any more'
      : `${count(seen.sightings, 'sighting')} by ${count(seen.accounts, 'account')}, ${shortTime(seen.first)} to ${shortTime(seen.last)}`,
  ])
  const said = tries.map(
    ({ host, outcome, attempts, until }) =>
      `${host}: ${outcome} (${count(attempts, 'try', 'tries')})${until === null ? '' : `, asked again from ${shortTime(until)}`}`,
  )
  const open =
    openScan === undefined
      ? []
      : [
          `a scan is due ${shortTime(openScan.nextAt)}: ${openScan.reason}, ${count(openScan.attempts, 'try', 'tries')} so far`,
        ]
  const settled =
    scan?.signals.md5 == null
      ? 'no bytes came'
      : 'the bytes came; what hosts said before is forgotten'
  gate(io, 2, 'fetch', [...open, ...said, ...(said.length > 0 ? [] : [settled])])
}

function printSignals(io: Io, { story: { scan } }: Explained): void {
  if (scan === undefined) {
    gate(io, 3, 'signals', ['not scanned yet; its sha256 is its name'])
    return
  }
  const { signals } = scan
  const views = signals.variants.map(({ variant, quality }) => `${variant} (quality ${quality})`)
  const quality = signals.quality ?? 0
  const low = quality < pdqQualityMin ? `: under ${pdqQualityMin}, not compared` : ''
  gate(io, 3, 'signals', [
    `${scan.kind ?? 'unknown kind'}, ${scan.bytes ?? 'unknown'} bytes; ${[scan.verdict, scan.reason].filter(Boolean).join(': ')}`,
    [
      'sha256',
      ...(signals.md5 === null ? [] : ['md5']),
      ...(signals.sha1 === null ? [] : ['sha1']),
      ...(signals.pdq === null ? [] : [`pdq quality ${quality}${low}`]),
    ].join(', '),
    ...(signals.pdq === null ? [] : ['looked at in all eight turns']),
    ...(views.length === 0 ? [] : [`and as ${views.join(', ')}`]),
    `settled ${shortTime(scan.hashedAt)} with the banks of change ${scan.generation}`,
  ])
}

function printMatches(io: Io, { story: { matches } }: Explained): void {
  gate(io, 4, 'match', [
    matches.length === 0 ? 'nothing matched' : count(matches.length, 'match', 'matches'),
  ])
  if (matches.length > 0) printTable(io, matches, matchColumns, '')
}

const matchColumns: Column<MatchFacts>[] = [
  { head: 'bank', cell: (row) => row.bank },
  { head: 'content', cell: (row) => row.content, align: 'right' },
  { head: 'type', cell: (row) => row.type },
  { head: 'distance', cell: (row) => row.distance, align: 'right' },
  {
    head: 'permitted',
    cell: (row) => row.distanceMax ?? (isOfOther(row.type) ? 'by its plug-in' : 'equal'),
    align: 'right',
  },
  { head: 'variant', cell: (row) => row.variant },
  { head: 'matched', cell: (row) => shortTime(row.at) },
  { head: 'what else', cell: (row) => notesOf(row).join('\n') },
]

function notesOf(row: MatchFacts): string[] {
  const until = row.disableUntilTs
  return [
    ...(row.setAside === null ? [] : [setAsideInWords(row.setAside, row.setAsideBy)]),
    ...(row.removedAt === null ? [] : [`removed ${shortTime(row.removedAt)}`]),
    ...(row.movedTo === null ? [] : [`is content ${row.movedTo} now`]),
    ...(until === 0 ? ['disabled'] : []),
    ...(until > 1 ? [`disabled until ${shortTime(new Date(until * 1000))}`] : []),
    ...(row.heldAt === null ? [] : [`set aside by a flood ${shortTime(row.heldAt)}`]),
    ...(row.reviewed === null ? [] : [`${row.reviewed} by a person`]),
    ...(row.source === null
      ? []
      : [row.source === exchangeSource ? 'from the exchange' : `from the list ${row.source}`]),
    ...(row.note === null ? [] : [row.note]),
  ]
}

function printDecisions(io: Io, { story: { decisions, caseFile } }: Explained): void {
  const sentences = decisions.map(
    (row) =>
      `${shortTime(row.at)} ${[row.outcome, row.wants.join(', ')].filter(Boolean).join(' ')} at ${uriOf(row)}: ${reasonInWords(row.reason)}`,
  )
  gate(io, 5, 'decide', sentences.length === 0 ? ['no decision'] : sentences)
  const head = caseFile?.head
  const by = head?.decidedBy == null ? '' : ` by ${head.decidedBy}, ${shortTime(head.decidedAt)}`
  gate(io, 6, 'case', [
    head === undefined
      ? 'no case'
      : `case ${head.id}: ${head.state}${by}; ${count(head.blobs, 'blob')}, opened ${shortTime(head.openedAt)}: ${reasonInWords(head.reason)}`,
    ...(caseFile?.history ?? []).map(
      ({ at, who, event, note }) =>
        `${shortTime(at)} ${event}${who === null ? '' : ` by ${who}`}${note === null ? '' : `: ${note}`}`,
    ),
  ])
}

function printActions(
  io: Io,
  { story: { actions } }: Explained,
  { pauses, limits }: Standing,
): void {
  const waiting = actions.filter(({ state }) =>
    ['held', 'planned', 'released', 'sending'].includes(state),
  )
  gate(io, 7, 'act', [
    actions.length === 0 ? 'no action' : count(actions.length, 'action'),
    ...(waiting.length === 0
      ? []
      : [
          ...pauses,
          `limits in 24 h: ${limits.takedownsPerDay} takedowns, ${limits.labelsPerDay} labels, ${limits.actionsPerContent} for a content`,
        ]),
  ])
  if (actions.length === 0) return
  printTable(
    io,
    actions,
    [
      ...actionColumns.filter(({ head }) => head !== 'why'),
      {
        head: 'why it waits',
        cell: (row) => (row.waiting === null ? (row.lastError ?? '') : waitInWords(row.waiting)),
      },
      { head: 'intent entry', cell: (row) => row.intentSeq ?? '', align: 'right' },
      { head: 'result entry', cell: (row) => row.resultSeq ?? '', align: 'right' },
    ],
    '',
  )
}

function printNow(io: Io, { now, bits, story }: Explained): void {
  const { counted, setAside, decisions } = now
  const [first] = decisions
  gate(io, 8, 'now', [
    `with the banks of change ${now.generation}: ${count(counted.length, 'match', 'matches')} would count, ${setAside.length} would be set aside`,
    ...setAside.map(
      (one) =>
        `content ${one.contentId}: ${setAsideInWords(one.by, one.by === 'negative' ? one.byContent : null)}`,
    ),
    ...(first === undefined
      ? []
      : [
          `a place seen now: ${first.decision.outcome} ${first.decision.wants.join(', ')}: ${reasonInWords(first.decision.reason)}`,
        ]),
    ...(now.differences.length === 0 ? ['as it was recorded'] : now.differences),
    ...(story.caseFile !== undefined && story.caseFile.head.decidedBy !== null
      ? [`what a person decided in case ${story.caseFile.head.id} stands`]
      : []),
  ])
  for (const [signal, lines] of bits) {
    io.out(`\nbits that differ from signal ${signal}`)
    for (const line of lines) io.out(`  ${line}`)
  }
}
