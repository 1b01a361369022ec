// doctor: looks at everything an operator would otherwise find out at night. Changes nothing.
import { access } from 'node:fs/promises'
import { join } from 'node:path'
import type { Command } from 'commander'
import { parseConfig } from '../config.ts'
import type { Config } from '../config.ts'
import { UsageError, errorMessage } from '../domain/errors.ts'
import { openDatabase } from '../service-database.ts'
import type { OpenDatabase } from '../service-database.ts'
import { createLog } from '../telemetry/log.ts'
import type { Log } from '../telemetry/log.ts'
import { fail, groups, note, runCheck, skip } from './doctor/check.ts'
import type { Check, DoctorContext, Finding, Group, Result } from './doctor/check.ts'
import { databaseChecks } from './doctor/database-checks.ts'
import { ledgerChecks } from './doctor/ledger-checks.ts'
import { exchangeChecks } from './doctor/exchange-checks.ts'
import { evidenceChecks } from './doctor/evidence-checks.ts'
import { hmaChecks } from './doctor/hma-checks.ts'
import { machineChecks } from './doctor/machine-checks.ts'
import { pluginChecks } from './doctor/plugin-checks.ts'
import { networkChecks } from './doctor/network-checks.ts'
import { stateChecks } from './doctor/state-checks.ts'
import { withExamples } from './examples.ts'
import { couldNotCheck, exitCodes } from './exit-codes.ts'
import type { Io } from './io.ts'
import { printJson } from './output.ts'
import { configuredManifests } from './plugins.ts'
import { typedAs } from './typed-as.ts'

type DoctorOptions = { offline?: boolean; only?: string; json?: boolean }

const checks: Check[] = [
  ...machineChecks,
  ...pluginChecks,
  ...databaseChecks,
  ...networkChecks,
  ...stateChecks,
  ...exchangeChecks,
  ...hmaChecks,
  ...ledgerChecks,
  ...evidenceChecks,
]
/** Where every check, or nearly every one, reads the database. */
const databaseGroups: Group[] = ['database', 'banks', 'ledger', 'safety']

export function addDoctor(program: Command, io: Io): void {
  withExamples(
    program
      .command('doctor')
      .description(
        'check machine, database, PDS, network, labeler, banks, ledger and safety; changes nothing',
      )
      .option('--offline', 'leave out what needs the network')
      .option('--only <GROUP>', `one group: ${groups.join(', ')}`)
      .option('--json', 'print the result as JSON')
      .action((options: DoctorOptions) => run(io, options)),
    ['doctor', 'doctor --only ledger', 'doctor --offline --json'],
  )
}

async function run(io: Io, options: DoctorOptions): Promise<void> {
  const only = options.only === undefined ? undefined : parseGroup(options.only)
  const results = await examine(io, only, options.offline === true)
  const tally = (level: Finding['level']) => results.filter((one) => one.level === level).length
  const unchecked = results.filter((one) => one.unchecked === true).length
  const summary = {
    ok: tally('ok'),
    note: tally('note'),
    warn: tally('warn'),
    fail: tally('FAIL'),
    skip: tally('skip'),
    unchecked,
  }
  if (summary.fail > 0) io.setExitCode(exitCodes.notOk)
  else if (unchecked > 0) io.setExitCode(couldNotCheck)
  if (options.json === true) {
    printJson(io, { checks: results, summary })
    return
  }
  for (const group of groups)
    printGroup(
      io,
      group,
      results.filter((one) => one.group === group),
    )
  io.out(
    `\n${summary.ok} ok, ${summary.note} notes, ${summary.warn} warnings, ${summary.fail} failed, ${summary.skip} skipped` +
      (unchecked > 0 ? ` (${unchecked} could not be checked)` : ''),
  )
}

async function examine(io: Io, only: Group | undefined, offline: boolean): Promise<Result[]> {
  let config: Config
  try {
    config = parseConfig(io.env, io.readFile)
  } catch (error) {
    if (!(error instanceof UsageError)) throw error
    return errorMessage(error)
      .split('\n')
      .map((line) => ({ id: 'settings', group: 'machine', ...fail(line) }))
  }
  const log = createLog({ level: 'silent' })
  const wanted = checks.filter((check) => only === undefined || check.group === only)
  const needsDatabase = wanted.some((check) => databaseGroups.includes(check.group))
  const { database, problem } = needsDatabase
    ? await open(config, log)
    : { problem: skip('not asked for') }
  await using stack = new AsyncDisposableStack()
  if (database !== undefined) stack.use(database)
  const context: DoctorContext = {
    config,
    env: io.env,
    manifests: () => configuredManifests(io),
    database,
    databaseProblem: problem,
    nowMs: database?.clock.now() ?? Date.now(),
    log,
    signal: io.stop,
  }
  return await Promise.all(wanted.map((check) => runCheck(check, context, { offline })))
}

/** Opens what is there and makes nothing: a first start makes an embedded database, doctor does not. */
async function open(
  config: Config,
  log: Log,
): Promise<{ database?: OpenDatabase; problem: Finding }> {
  const nothing = note(
    'there is no embedded database yet: it is made at the first start',
    typedAs('serve'),
  )
  if (config.databaseUrl === undefined && !(await hasEmbedded(config.dataDir)))
    return { problem: nothing }
  try {
    const database = await openDatabase(config, { log, connectionsMax: 4, migrate: false })
    await using stack = new AsyncDisposableStack()
    stack.use(database)
    await database.app`select 1`
    // The check of the clocks says so when this fails.
    await database.clock.measure().catch(() => undefined)
    stack.move()
    return { database, problem: nothing }
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? ` (${String(error.code)})` : ''
    return {
      problem: fail(
        `the database cannot be opened${code}`,
        'is Postgres running, and is DATABASE_URL right?',
      ),
    }
  }
}

async function hasEmbedded(dataDir: string): Promise<boolean> {
  for (const name of ['cluster', 'postgres-is-in']) {
    const found = await access(join(dataDir, name)).then(
      () => true,
      () => false,
    )
    if (found) return true
  }
  return false
}

function printGroup(io: Io, group: Group, results: Result[]): void {
  if (results.length === 0) return
  io.out(`\n${group}`)
  const width = Math.max(...results.map((one) => one.id.length))
  for (const { level, id, line, fix } of results) {
    io.out(`  ${level.padEnd(4)}  ${id.padEnd(width)}  ${line}`)
    const isProblem = level === 'warn' || level === 'FAIL' || level === 'note'
    if (fix !== undefined && isProblem) io.out(`        ${' '.repeat(width)}  → ${fix}`)
  }
}

function parseGroup(text: string): Group {
  const group = groups.find((one) => one.toLowerCase() === text.toLowerCase())
  if (group === undefined) throw new UsageError(`--only is one of ${groups.join(', ')}`)
  return group
}
