// report dsa: statements of reasons for the EU's transparency database (DSA art. 17 and 24(5)), ready to be sent by the
// operator. Nothing is sent from here.
import { mkdir, open, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Command } from 'commander'
import type { Database } from '../db/client.ts'
import { ask } from '../db/client.ts'
import { UsageError } from '../domain/errors.ts'
import type { DataKey } from '../ledger/seal.ts'
import { liftedIn, restrictionsOf, secretNames } from '../reports/dsa-actions.ts'
import { dsaLimits } from '../reports/dsa-format.ts'
import type { DsaStatement } from '../reports/dsa-format.ts'
import { dayOf, makeStatement } from '../reports/dsa-statement.ts'
import type { Period } from '../reports/tally.ts'
import type { Io } from './io.ts'
import { findDataKey } from './data-key.ts'
import { withExamples } from './examples.ts'
import { count, printJson } from './output.ts'
import { addPeriod, parsePeriod } from './report-period.ts'
import type { PeriodOptions } from './report-period.ts'
import { withSession } from './session.ts'

type Options = PeriodOptions & { out?: string; dryRun?: boolean; json?: boolean }

type Reversal = { puid: string; lifted: string }
type Refused = { action: number; problems: string[] }
type Totals = { statements: number; calls: number; reversals: number; refused: Refused[] }
type Sink = {
  batch: (statements: DsaStatement[]) => Promise<void>
  end: (rest: { reversals: Reversal[]; refused: Refused[] }) => Promise<void>
}

const progressEvery = 5_000
/** Named one by one in words; --json and refused.json have all. */
const refusedTold = 20

export function addReportDsa(command: Command, io: Io): void {
  const added = command
    .command('dsa')
    .description(
      `statements of reasons for the EU database, as it takes them: ${dsaLimits.statementsPerCall} a file, one for each takedown and label`,
    )
  withExamples(
    addPeriod(added)
      .option('--out <PATH>', 'a new folder, or a new file NAME.json when one call is enough')
      .option('--dry-run', 'write nothing: how many there are, and what would be refused')
      .option('--json', 'print the result as JSON')
      .action((options: Options) => run(io, options)),
    [
      'report dsa --month 2026-10 --dry-run',
      'report dsa --month 2026-10 --out dsa-2026-10',
      'report dsa --last 24h --out yesterday.json --json',
    ],
  )
}

async function run(io: Io, options: Options): Promise<void> {
  const { out } = options
  const dryRun = options.dryRun === true
  if ((out === undefined) !== dryRun)
    throw new UsageError('--out says where the statements go, or --dry-run that they go nowhere')
  await withSession(io, async ({ config, db, nowMs }) => {
    const period = parsePeriod(options, nowMs())
    const dataKey = await findDataKey(config, db)
    if (dataKey === undefined && !dryRun) {
      throw new UsageError(
        'the names of statements are made with the data key, and this machine has none: set BLOBWATCH_DATA_KEY',
      )
    }
    const sink = out === undefined ? nowhere : await sinkAt(out, period)
    const totals = await writeStatements(io, db, { period, name: await namer(db, dataKey), sink })
    if (options.json === true)
      printJson(io, { from: period.from, to: period.to, ...totals, out: out ?? null })
    else tell(io, totals, out)
  })
}

/** A statement is known by this for ever: the same for an action however often it is exported. */
async function namer(
  db: Database,
  dataKey: DataKey | undefined,
): Promise<(action: number) => string> {
  const [deployment] = await ask(
    'read the name of the deployment',
    db<{ id: string }[]>`select id from deployment`,
  )
  const id = deployment?.id ?? ''
  return (action) =>
    `bw-${(dataKey?.pseudonym('dsa-puid/v1', `${id}:${action}`) ?? '0'.repeat(64)).slice(0, 40)}`
}

async function writeStatements(
  io: Io,
  db: Database,
  input: { period: Period; name: (action: number) => string; sink: Sink },
): Promise<Totals> {
  const { period, name, sink } = input
  const secret = await secretNames(db)
  const refused: Refused[] = []
  let waiting: DsaStatement[] = []
  let statements = 0
  let calls = 0
  const flush = async () => {
    if (waiting.length === 0) return
    calls += 1
    await sink.batch(waiting)
    waiting = []
  }
  for await (const page of restrictionsOf(db, period)) {
    for (const restriction of page) {
      const made = makeStatement(restriction, {
        puid: name(restriction.action),
        secretNames: secret,
      })
      if (made.kind === 'refused') {
        refused.push({ action: restriction.action, problems: made.problems })
        continue
      }
      waiting.push(made.statement)
      statements += 1
      if (statements % progressEvery === 0) io.err(`${statements} statements made`)
      if (waiting.length === dsaLimits.statementsPerCall) await flush()
    }
  }
  await flush()
  const reversals: Reversal[] = []
  for await (const page of liftedIn(db, period))
    for (const row of page) reversals.push({ puid: name(row.action), lifted: dayOf(row.liftedAt) })
  await sink.end({ reversals, refused })
  return { statements, calls, reversals: reversals.length, refused }
}

const nowhere: Sink = { batch: async () => undefined, end: async () => undefined }

function sinkAt(out: string, period: Period): Promise<Sink> | Sink {
  return out.endsWith('.json') ? fileSink(out) : folderSink(out, period)
}

/** manifest.json is written last: a folder without one was not finished. */
async function folderSink(out: string, period: Period): Promise<Sink> {
  try {
    await mkdir(out, { recursive: true, mode: 0o700 })
    if ((await readdir(out)).length > 0)
      throw new UsageError(`${out} is not empty: name a new folder`)
  } catch (cause) {
    if (cause instanceof UsageError) throw cause
    throw new UsageError(`${out} cannot be made`, { cause })
  }
  const files: string[] = []
  let statements = 0
  return {
    async batch(batch) {
      const name = `statements-${String(files.length + 1).padStart(4, '0')}.json`
      await writeNew(join(out, name), { statements: batch })
      files.push(name)
      statements += batch.length
    },
    async end({ reversals, refused }) {
      await writeNew(join(out, 'reversals.json'), { reversals })
      await writeNew(join(out, 'refused.json'), { refused })
      await writeNew(join(out, 'manifest.json'), {
        version: 1,
        from: period.from,
        to: period.to,
        files,
        statements,
        reversals: reversals.length,
        refused: refused.length,
      })
    },
  }
}

function fileSink(out: string): Sink {
  let kept: DsaStatement[] | undefined
  return {
    async batch(statements) {
      if (kept !== undefined) {
        throw new UsageError(
          `there are more than ${dsaLimits.statementsPerCall} statements, which is more than one call takes: name a folder`,
        )
      }
      kept = statements
    },
    async end({ reversals, refused }) {
      await writeNew(out, { statements: kept ?? [] })
      // Beside it, so that the file itself is what the database takes and nothing else.
      const beside = out.replace(/\.json$/, '')
      await writeNew(`${beside}.reversals.json`, { reversals })
      await writeNew(`${beside}.refused.json`, { refused })
    },
  }
}

async function writeNew(path: string, value: unknown): Promise<void> {
  try {
    await using file = await open(path, 'wx', 0o600)
    await file.writeFile(`${JSON.stringify(value, null, 2)}\n`)
  } catch (cause) {
    throw new UsageError(`${path} cannot be written, or exists already`, { cause })
  }
}

function tell(io: Io, totals: Totals, out: string | undefined): void {
  const { statements, calls, reversals, refused } = totals
  io.out(
    `${count(statements, 'statement')} in ${count(calls, 'call')}${out === undefined ? '; nothing was written' : `, written to ${out}`}.`,
  )
  if (reversals > 0)
    io.out(`${count(reversals, 'restriction')} lifted in the period: the database wants to know.`)
  if (refused.length === 0) return
  io.out(`${count(refused.length, 'action')} without a statement:`)
  for (const { action, problems } of refused.slice(0, refusedTold))
    io.out(`  action ${action}: ${problems.join('; ')}`)
  if (refused.length > refusedTold) io.out(`  and ${refused.length - refusedTold} more`)
  io.out('report dsa-bank says what is told about a bank, and changes it.')
}
