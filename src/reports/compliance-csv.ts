// The compliance report flat: section,key,value,unit, as RFC 4180 has it (CRLF, quotes doubled).
import type { ComplianceReport } from './compliance.ts'

type Row = [section: string, key: string, value: string | number | null, unit: string]

export function complianceCsv(report: ComplianceReport): string {
  const rows: Row[] = [
    ...headRows(report),
    ...completenessRows(report),
    ...decisionRows(report),
    ...actionRows(report),
    ...peopleRows(report),
    ...openRows(report),
    ...recordRows(report),
  ]
  const lines = [['section', 'key', 'value', 'unit'], ...rows]
  return lines.map((row) => `${row.map(field).join(',')}\r\n`).join('')
}

function field(value: string | number | null): string {
  const text = value === null ? '' : String(value)
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}

function headRows({
  deployment,
  log,
  period,
  generatedAt,
  ledger,
  holds,
}: ComplianceReport): Row[] {
  return [
    ['report', 'version', 1, ''],
    ['report', 'deployment', deployment, ''],
    ['report', 'log', log, ''],
    ['report', 'from', period.from.toISOString(), 'time'],
    ['report', 'to', period.to.toISOString(), 'time'],
    ['report', 'period over', String(period.over), ''],
    ['report', 'made', generatedAt.toISOString(), 'time'],
    ['report', 'sum holds', String(holds), ''],
    ['ledger', 'size', ledger.size, 'entries'],
    ['ledger', 'head', ledger.head, 'sha2-256'],
    ['ledger', 'entries of the period', ledger.entries, 'entries'],
    ['ledger', 'first entry', ledger.firstSeq, 'seq'],
    ['ledger', 'last entry', ledger.lastSeq, 'seq'],
    ['ledger', 'newest anchored checkpoint', ledger.checkpoint?.size ?? 'none', 'entries'],
  ]
}

function completenessRows({ completeness, gaps }: ComplianceReport): Row[] {
  const { total, bySource } = completeness
  const hours = (spans: { hours: number }[]) => spans.reduce((sum, one) => sum + one.hours, 0)
  return [
    ...[{ source: 'all', ...total }, ...bySource].flatMap(({ source, ...counts }) =>
      Object.entries(counts).map(([key, value]): Row => {
        const unit = key === 'hours' ? 'hours' : key === 'sightings' ? 'sightings' : 'blobs'
        return ['completeness', `${source} ${key}`, value, unit]
      }),
    ),
    ...completeness.unscannableBy.map(({ reason, blobs }): Row => [
      'unscannable',
      reason,
      blobs,
      'blobs',
    ]),
    ['completeness', 'hours without a count', hours(completeness.missing), 'hours'],
    ['completeness', 'hours not counted yet', hours(completeness.pending), 'hours'],
    ['completeness', 'hours counted late', hours(completeness.late), 'hours'],
    ...completeness.missing.map((one): Row => [
      'hours without a count',
      `${one.source} ${one.from.toISOString()}`,
      one.hours,
      'hours',
    ]),
    ...completeness.faults.map((fault, index): Row => ['fault', String(index + 1), fault, '']),
    ['gaps', 'opened', gaps.opened, 'gaps'],
    ['gaps', 'closed', gaps.closed, 'gaps'],
    ...gaps.openNow.map((row): Row => [
      'gaps',
      `open now ${row.source} ${row.reason}`,
      row.gaps,
      'gaps',
    ]),
  ]
}

function decisionRows({ matches, decisions }: ComplianceReport): Row[] {
  return [
    ...matches.byBank.map((row): Row => ['matches by bank', bankKey(row), row.decisions, 'places']),
    ...matches.byType.map((row): Row => [
      'matches by signal type',
      row.type,
      row.decisions,
      'places',
    ]),
    ...decisions.map((row): Row => [
      'decisions',
      `${row.outcome} ${row.reason}`,
      row.count,
      'places',
    ]),
  ]
}

function bankKey({ bank, name }: { bank: string; name: string | null }): string {
  return name === null ? bank : `${bank} ${name}`
}

function actionRows({ actions }: ComplianceReport): Row[] {
  return actions.flatMap(({ kind, undo, ...counts }) =>
    Object.entries(counts).map(([key, value]): Row => [
      'actions',
      `${undo ? 'take back ' : ''}${kind} ${key}`,
      value,
      'actions',
    ]),
  )
}

function peopleRows({ people, timeliness, reporting, appeals }: ComplianceReport): Row[] {
  const spread = (section: string, key: string, of: typeof people.timeToDecision): Row[] =>
    of === null
      ? []
      : [
          [section, `${key} median`, of.median, 'seconds'],
          [section, `${key} p95`, of.p95, 'seconds'],
          [section, `${key} of`, of.count, ''],
        ]
  const rates = [
    { key: 'all', ...people.errorRate },
    ...people.errorRateByBank.map((row) => ({ ...row, key: bankKey(row) })),
    ...people.errorRateByType.map((row) => ({ ...row, key: row.type })),
  ]
  return [
    ...people.verbs.map((row): Row => ['people', row.verb, row.cases, 'cases']),
    ...people.byPrincipal.map((row): Row => ['people', row.principal, row.decisions, 'decisions']),
    ...spread('people', 'opening to decision', people.timeToDecision),
    ...rates.flatMap(({ key, right, wrong, rate }): Row[] => [
      ['error rate', `${key} right`, right, 'cases'],
      ['error rate', `${key} wrong`, wrong, 'cases'],
      ['error rate', `${key} rate`, rate, 'share'],
    ]),
    ...timeliness.flatMap((row) =>
      spread('timeliness', `${row.from} to ${row.to}, ${row.group}`, row.spread),
    ),
    ['timeliness', 'decision to report', reporting, ''],
    ['appeals', 'received', appeals.received, 'appeals'],
    ['appeals', 'upheld', appeals.upheld, 'appeals'],
    ['appeals', 'rejected', appeals.rejected, 'appeals'],
    ['appeals', 'open now', appeals.openNow, 'appeals'],
    ...spread('appeals', 'receipt to answer', appeals.timeToAnswer),
  ]
}

function openRows({ openIntents, heldNow, openCases }: ComplianceReport): Row[] {
  return [
    ['open now', 'cases', openCases.cases, 'cases'],
    ...openIntents.map((row): Row => [
      'open now',
      `intent ${row.kind} ${row.state}`,
      row.actions,
      'actions',
    ]),
    ...heldNow.map((row): Row => ['open now', `held ${row.reason}`, row.actions, 'actions']),
  ]
}

function recordRows({ lists, changes }: ComplianceReport): Row[] {
  return [
    ...lists.freshness.flatMap((row): Row[] => [
      [
        'lists',
        `${row.bank} ${row.source ?? '(not named)'} last import`,
        row.lastImport?.toISOString() ?? null,
        'time',
      ],
      ['lists', `${row.bank} ${row.source ?? '(not named)'} age`, row.ageSeconds, 'seconds'],
    ]),
    ...lists.imported.flatMap((row): Row[] => [
      ['imported', `${bankKey(row)} added`, row.added, 'contents'],
      ['imported', `${bankKey(row)} removed`, row.removed, 'contents'],
    ]),
    ...changes.counts.flatMap(({ types }) =>
      types.map(({ type, entries }): Row => ['entries', type, entries, 'entries']),
    ),
    ...changes.told.map((row): Row => [
      'change',
      `${row.seq} ${row.type} ${row.bank ?? ''}`.trim(),
      row.what,
      '',
    ]),
  ]
}
