// The section that must add up: what was seen, and what became of it.
import type { ComplianceReport } from './compliance.ts'
import type { Counts, HourSpan } from './counts.ts'
import { figure, table, time } from './markdown.ts'

const spansToldMax = 50

export function completenessText({ completeness, gaps }: ComplianceReport): string[] {
  const { total, bySource, unscannableBy } = completeness
  const row = (name: string, counts: Counts & { hours: number; difference: number }) => [
    name,
    ...[
      counts.hours,
      counts.sightings,
      counts.seen,
      counts.clear,
      counts.matched,
      counts.unscannable,
      counts.open,
      counts.difference,
    ].map(figure),
  ]
  return [
    '## Completeness',
    '',
    'Blobs seen, each once an hour and source, and their verdict when the hour was counted. *From the ledger (`counts` entries).*',
    '',
    ...table(
      [
        'Source',
        '>Hours counted',
        '>Sightings',
        '>Seen',
        '>Clear',
        '>Matched',
        '>Unscannable',
        '>Open',
        '>Difference',
      ],
      [...bySource.map((source) => row(source.source, source)), row('**all**', total)],
    ),
    '',
    ...checkText(completeness),
    '',
    `Hashed from their bytes: ${figure(total.scanned)}; of these too flat or small for a perceptual comparison: ${figure(total.lowQuality)}. What its CID alone decides is not fetched.`,
    '',
    ...(unscannableBy.length === 0
      ? ['Nothing was unscannable.']
      : table(
          ['Unscannable because', '>Blobs'],
          unscannableBy.map(({ reason, blobs }) => [reason, figure(blobs)]),
        )),
    '',
    '### Hours and gaps',
    '',
    ...hoursText(completeness),
    '',
    ...gapsText(gaps, completeness),
  ]
}

function checkText({ total, faults }: ComplianceReport['completeness']): string[] {
  const { seen, clear, matched, unscannable, open } = total
  const sum = `${figure(clear)} clear + ${figure(matched)} matched + ${figure(unscannable)} unscannable + ${figure(open)} open`
  if (faults.length === 0) return [`**The sum holds:** ${figure(seen)} seen = ${sum}.`]
  return [
    `> **THE SUM DOES NOT HOLD:** ${figure(seen)} seen; ${sum} = ${figure(clear + matched + unscannable + open)}. This report must not be relied on until the cause is known.`,
    '',
    ...faults.slice(0, spansToldMax).map((fault) => `- ${fault}`),
    ...(faults.length > spansToldMax ? [`- and ${faults.length - spansToldMax} more`] : []),
  ]
}

function hoursText({ missing, pending, late }: ComplianceReport['completeness']): string[] {
  const hours = missing.reduce((sum, one) => sum + one.hours, 0)
  return [
    ...(missing.length === 0
      ? [
          pending.length === 0
            ? 'Every hour of the period is counted, for every source.'
            : 'Every hour is counted that could be when this was made.',
        ]
      : [
          `> **HOURS WITHOUT A COUNT: ${figure(hours)}.** What came by in them, if anything, is in no number of this report: the service was not running, and for longer than a day.`,
          '',
          ...spansText(missing),
        ]),
    ...(pending.length === 0
      ? []
      : ['', 'Not counted yet, and in no number above:', '', ...spansText(pending)]),
    ...(late.length === 0
      ? []
      : [
          '',
          'Counted more than an hour late, when the service ran again:',
          '',
          ...spansText(late),
        ]),
  ]
}

function spansText(spans: readonly HourSpan[]): string[] {
  return [
    ...spans
      .slice(0, spansToldMax)
      .map(({ source, from, hours }) => `- ${source}: from ${time(from)}, hours: ${hours}`),
    ...(spans.length > spansToldMax ? [`- and ${spans.length - spansToldMax} more stretches`] : []),
  ]
}

function gapsText(
  gaps: ComplianceReport['gaps'],
  { openGapsAtEnd }: ComplianceReport['completeness'],
): string[] {
  const open = gaps.openNow.reduce((sum, row) => sum + row.gaps, 0)
  return [
    `Gaps in a stream (known to be unseen) opened in the period: ${figure(gaps.opened)}, closed: ${figure(gaps.closed)}. *From the table of gaps.*`,
    ...(openGapsAtEnd.length === 0
      ? []
      : [
          '',
          `Open in the last hour counted, by the ledger: ${openGapsAtEnd.map((row) => `${row.source} ${figure(row.gaps)}`).join(', ')}.`,
        ]),
    '',
    ...(open === 0
      ? ['No gap is open now.']
      : [
          `> **GAPS OPEN NOW: ${figure(open)}.** What came by in them was not seen.`,
          '',
          ...table(
            ['Source', 'Why', '>Gaps', 'The oldest since'],
            gaps.openNow.map((row) => [row.source, row.reason, figure(row.gaps), time(row.since)]),
          ),
        ]),
  ]
}
