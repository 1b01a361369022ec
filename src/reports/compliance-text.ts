// The compliance report as Markdown: what an auditor reads in print, section by section, with where each number is from.
import type { ComplianceReport } from './compliance.ts'
import { completenessText } from './completeness-text.ts'
import { bankName, figure, orNone, percent, span, table, time } from './markdown.ts'
import { changesText, listsText } from './record-text.ts'

export function complianceText(report: ComplianceReport): string {
  const sections = [
    headText(report),
    shortText(report),
    completenessText(report),
    matchesText(report),
    decisionsText(report),
    actionsText(report),
    peopleText(report),
    timelinessText(report),
    appealsText(report),
    openText(report),
    listsText(report),
    changesText(report),
    notesText(),
  ]
  return `${sections.map((lines) => lines.join('\n')).join('\n\n')}\n`
}

function headText(report: ComplianceReport): string[] {
  const { period, ledger } = report
  const { checkpoint } = ledger
  return [
    '# Compliance report',
    '',
    ...table(
      ['', ''],
      [
        ['Deployment', report.deployment],
        ['Period', `${time(period.from)} up to, not including, ${time(period.to)} (UTC)`],
        ['Made', time(report.generatedAt)],
        ['Log', report.log],
        ['The log began', ledger.began === null ? 'it has no entries' : time(ledger.began)],
        [
          'Entries of the period',
          ledger.firstSeq === null
            ? '0'
            : `${figure(ledger.entries)} (${ledger.firstSeq} to ${ledger.lastSeq})`,
        ],
        ['Size of the log when made', figure(ledger.size)],
        ['Its head', `\`${ledger.head}\``],
        [
          'Newest anchored checkpoint',
          checkpoint === null
            ? '**NONE**'
            : `size ${figure(checkpoint.size)} of ${checkpoint.origin}, ${time(checkpoint.at)}, witnesses: ${checkpoint.witnesses}`,
        ],
      ],
    ),
    ...(checkpoint === null
      ? [
          '',
          '> **No checkpoint of this log is anchored outside of its database.** Nothing but the word of the operator says that the log was not replaced as a whole.',
        ]
      : []),
    ...(period.over
      ? []
      : ['', '> **The period is not over.** The numbers run up to when this was made.']),
  ]
}

/** What a reader has to know before any table. */
function shortText(report: ComplianceReport): string[] {
  const { completeness, gaps, actions, people, ledger, openIntents, appeals } = report
  const sum = (rows: readonly number[]) => rows.reduce((total, one) => total + one, 0)
  const done = (undo: boolean) =>
    sum(actions.filter((row) => row.undo === undo).map((row) => row.done))
  const failed = sum(actions.map((row) => row.refused + row.dead))
  const missing = sum(completeness.missing.map((one) => one.hours))
  const open = sum(gaps.openNow.map((row) => row.gaps))
  const { errorRate } = people
  const decided = errorRate.right + errorRate.wrong
  return [
    '## In short',
    '',
    report.holds ? '- The sum holds.' : '- **THE SUM DOES NOT HOLD.**',
    missing === 0
      ? '- No hour is without a count.'
      : `- **Hours without a count: ${figure(missing)}**, of all sources together.`,
    open === 0 ? '- No gap in a stream is open.' : `- **Gaps open now: ${figure(open)}.**`,
    ledger.checkpoint === null
      ? '- **Anchored checkpoint: none.**'
      : `- Anchored up to entry ${figure(ledger.checkpoint.size)} of ${figure(ledger.size)}.`,
    `- Matches decided: ${figure(sum(report.decisions.map((row) => row.count)))}. Actions done: ${figure(done(false))}; taken back: ${figure(done(true))}; failed: ${figure(failed)}; intents open now: ${figure(sum(openIntents.map((row) => row.actions)))}.`,
    `- Cases decided by people: ${figure(decided)}${decided === 0 ? '' : `, of which the match was wrong in ${percent(errorRate.rate)}`}. Appeals received: ${figure(appeals.received)}.`,
  ]
}

function matchesText({ matches }: ComplianceReport): string[] {
  return [
    '## Matches',
    '',
    'A match is decided once for each place where the picture was seen. *From the ledger.*',
    '',
    ...orNone(
      matches.byBank,
      table(
        ['Bank', 'Class', '>Places decided'],
        matches.byBank.map((row) => [bankName(row), row.class, figure(row.decisions)]),
      ),
      'Nothing matched.',
    ),
    ...(matches.byType.length === 0
      ? []
      : [
          '',
          ...table(
            ['Signal type', '>Places decided'],
            matches.byType.map((row) => [row.type, figure(row.decisions)]),
          ),
        ]),
  ]
}

function decisionsText({ decisions }: ComplianceReport): string[] {
  return [
    '## Decisions',
    '',
    'What the policy made of each match. *From the ledger.*',
    '',
    ...orNone(
      decisions,
      table(
        ['Outcome', 'Reason', '>Places'],
        decisions.map((row) => [row.outcome, row.reason, figure(row.count)]),
      ),
      'No decision was made.',
    ),
  ]
}

function actionsText({ actions }: ComplianceReport): string[] {
  return [
    '## Actions',
    '',
    'Planned: its intent was recorded in the period, before anything left. The results are those recorded in the period, also of what was planned before it. Open: planned in the period and without a result at its end. *From the ledger; the kind of what was planned before the period from the table of actions.*',
    '',
    ...orNone(
      actions,
      table(
        ['Kind', '>Planned', '>By a person', '>Done', '>Refused', '>Dead', '>Superseded', '>Open'],
        actions.map((row) => [
          row.undo ? `take back: ${row.kind}` : row.kind,
          ...[
            row.planned,
            row.byPerson,
            row.done,
            row.refused,
            row.dead,
            row.superseded,
            row.openAtEnd,
          ].map(figure),
        ]),
      ),
      'Nothing was planned or done.',
    ),
  ]
}

function peopleText({ people }: ComplianceReport): string[] {
  const { timeToDecision } = people
  return [
    '## Decided by people',
    '',
    '*From the ledger.*',
    '',
    ...orNone(
      people.verbs,
      table(
        ['Decision', '>Cases'],
        people.verbs.map((row) => [row.verb, figure(row.cases)]),
      ),
      'No person decided a case.',
    ),
    ...(people.byPrincipal.length === 0
      ? []
      : [
          '',
          `By whom: ${people.byPrincipal.map((row) => `${row.principal} ${figure(row.decisions)}`).join(', ')}.`,
        ]),
    ...(timeToDecision === null
      ? []
      : [
          '',
          `From the opening of a case to the decision: median ${span(timeToDecision.median)}, 95th percentile ${span(timeToDecision.p95)}, of ${figure(timeToDecision.count)}${
            people.openedEarlier === 0
              ? ''
              : ` (${figure(people.openedEarlier)} opened before the period: their opening from the table of cases)`
          }.`,
        ]),
    '',
    '### How often a match was wrong',
    '',
    ...errorText(people),
  ]
}

function errorText({ errorRate, errorRateByBank, errorRateByType }: ComplianceReport['people']) {
  if (errorRate.rate === null) return ['No case was decided by a person: there is no rate.']
  const cells = ({ right, wrong, rate }: typeof errorRate) => [
    figure(right),
    figure(wrong),
    percent(rate),
  ]
  return [
    'By the last word of the period about each case: confirmed is right, released or overturned is wrong. A case with several banks or types counts for each.',
    '',
    ...table(
      ['', '>Right', '>Wrong', '>Wrong, share'],
      [
        ['all cases', ...cells(errorRate)],
        ...errorRateByBank.map((row) => [bankName(row), ...cells(row)]),
        ...errorRateByType.map((row) => [row.type, ...cells(row)]),
      ],
    ),
  ]
}

function timelinessText({ timeliness, reporting }: ComplianceReport): string[] {
  return [
    '## Timeliness',
    '',
    'Over every single one, by nearest rank. *From the tables of decisions and actions: a decision’s entry does not carry the time of the sighting.*',
    '',
    ...orNone(
      timeliness,
      table(
        ['From', 'To', 'Which', '>Median', '>95th percentile', '>Of'],
        timeliness.map(({ from, to, group, spread }) => [
          from,
          to,
          group,
          span(spread.median),
          span(spread.p95),
          figure(spread.count),
        ]),
      ),
      'Nothing was decided or taken down.',
    ),
    '',
    `From decision to report: ${reporting}.`,
  ]
}

function appealsText({ appeals }: ComplianceReport): string[] {
  const { timeToAnswer } = appeals
  return [
    '## Appeals',
    '',
    '*From the ledger; what is open now from the table of appeals.*',
    '',
    ...table(
      ['>Received', '>Upheld', '>Rejected', '>Open now'],
      [[appeals.received, appeals.upheld, appeals.rejected, appeals.openNow].map(figure)],
    ),
    '',
    timeToAnswer === null
      ? 'No appeal was answered in the period.'
      : `From receipt to answer: median ${days(timeToAnswer.median)}, 95th percentile ${days(timeToAnswer.p95)}, of ${figure(timeToAnswer.count)}.`,
  ]
}

function openText({ openIntents, heldNow, openCases, generatedAt }: ComplianceReport): string[] {
  const age = (at: Date) => span(Math.max(0, (generatedAt.getTime() - at.getTime()) / 1000))
  return [
    '## Open when this was made',
    '',
    '*From tables, as they are now, not at the end of the period.*',
    '',
    openCases.cases === 0
      ? 'No case waits for a person.'
      : `Cases that wait for a person: ${figure(openCases.cases)}${openCases.oldest === null ? '' : `, the oldest for ${age(openCases.oldest)}`}.`,
    '',
    ...orNone(
      [...openIntents, ...heldNow],
      table(
        ['What', 'State', '>Actions', '>Oldest'],
        [
          ...openIntents.map((row) => [
            row.kind,
            `intent open: ${row.state}`,
            figure(row.actions),
            age(row.oldest),
          ]),
          ...heldNow.map((row) => [
            'held for a person',
            row.reason,
            figure(row.actions),
            age(row.oldest),
          ]),
        ],
      ),
      'No intent is open and nothing is held.',
    ),
  ]
}

function notesText(): string[] {
  return [
    '## How to check this report',
    '',
    'Every number marked *from the ledger* can be computed again from the exported log (`ledger export`), whose entries are verified first (`ledger verify`). `docs/compliance.md` says for each number which entries it is made of. Nobody is named: `p3` is a principal, `b7` a bank; the operator knows them.',
  ]
}

function days(seconds: number): string {
  return `${(seconds / 86_400).toFixed(1)} days`
}
