// report compliance: what was seen, decided and done in a period, from the ledger, and whether it adds up.
import { open } from 'node:fs/promises'
import type { Command } from 'commander'
import { UsageError } from '../domain/errors.ts'
import { complianceCsv } from '../reports/compliance-csv.ts'
import { complianceText } from '../reports/compliance-text.ts'
import type { ComplianceReport } from '../reports/compliance.ts'
import { gatherCompliance } from '../roles/compliance.ts'
import type { Io } from './io.ts'
import { withExamples } from './examples.ts'
import { exitCodes } from './exit-codes.ts'
import { parseOneOf } from './parse.ts'
import { addPeriod, parsePeriod } from './report-period.ts'
import type { PeriodOptions } from './report-period.ts'
import { withSession } from './session.ts'

type Options = PeriodOptions & { format?: string; out?: string; json?: boolean }

const formats = ['md', 'json', 'csv'] as const
type Format = (typeof formats)[number]

const progressEvery = 100_000

export function addReportCompliance(command: Command, io: Io): void {
  const added = command
    .command('compliance')
    .description(
      'what was seen, matched, decided, done and changed in a period; exit code 1 when it does not add up',
    )
  withExamples(
    addPeriod(added)
      .option('--format <FORMAT>', `${formats.join(', ')}; not set: by the file's name, else md`)
      .option('--out <FILE>', 'a new file; not set: stdout')
      .option('--json', 'the same as --format json')
      .action((options: Options) => run(io, options)),
    [
      'report compliance --month 2026-10 --out october.md',
      'report compliance --from 2026-10-01 --to 2026-11-01 --format csv --out october.csv',
      'report compliance --last 30d --json',
    ],
  )
}

async function run(io: Io, options: Options): Promise<void> {
  const format = formatOf(options)
  await withSession(io, async ({ db, nowMs }) => {
    const now = nowMs()
    const period = parsePeriod(options, now)
    await using file = options.out === undefined ? undefined : await newFile(options.out)
    let told = 0
    const report = await gatherCompliance(db, {
      period,
      nowMs: now,
      onRead: (entries, of) => {
        if (entries - told < progressEvery) return
        told = entries
        io.err(`${entries} of ${of} entries read`)
      },
    })
    const text = written(report, format)
    if (file === undefined) io.out(text.trimEnd())
    else await file.writeFile(text)
    tell(io, report, options.out)
  })
}

function formatOf({ format, out, json }: Options): Format {
  if (json === true) return 'json'
  if (format !== undefined) return parseOneOf(format, '--format', formats)
  return formats.find((one) => out?.endsWith(`.${one}`) === true) ?? 'md'
}

function written(report: ComplianceReport, format: Format): string {
  switch (format) {
    case 'md':
      return complianceText(report)
    case 'csv':
      return complianceCsv(report)
    case 'json':
      return `${JSON.stringify(report, null, 2)}\n`
    default:
      return format satisfies never
  }
}

/** A report that exists is somebody's evidence: it is not written over. */
async function newFile(path: string) {
  try {
    return await open(path, 'wx', 0o600)
  } catch (cause) {
    throw new UsageError(`${path} cannot be written, or exists already`, { cause })
  }
}

/** On stderr: what must not be overlooked, also by whoever only looks at the file. */
function tell(io: Io, report: ComplianceReport, out: string | undefined): void {
  const { completeness, gaps, ledger } = report
  const hours = completeness.missing.reduce((sum, one) => sum + one.hours, 0)
  const open = gaps.openNow.reduce((sum, row) => sum + row.gaps, 0)
  if (out !== undefined) io.err(`written to ${out}`)
  if (hours > 0) io.err(`HOURS WITHOUT A COUNT: ${hours}, of all sources together`)
  if (open > 0) io.err(`gaps open now: ${open}`)
  if (ledger.checkpoint === null) io.err('no checkpoint is anchored outside of the database')
  if (report.holds) {
    io.err('The sum holds: seen = clear + matched + unscannable + open.')
    return
  }
  io.err(`THE SUM DOES NOT HOLD: ${completeness.faults[0]}`)
  io.setExitCode(exitCodes.notOk)
}
