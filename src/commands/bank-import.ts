// bank import: a list of known items comes into a bank. What it does to the bank is shown before anything is done.
import type { Command } from 'commander'
import { exchangeSource } from '../banks/exchange-page.ts'
import { abandonImport, importCounts, openImport, openImports } from '../banks/import-steps.ts'
import type { ImportDecision, OpenImport } from '../banks/import-steps.ts'
import { bankNamed } from '../banks/bank-store.ts'
import { listFormats } from '../banks/list-format.ts'
import type { Bank } from '../domain/bank.ts'
import { UsageError } from '../domain/errors.ts'
import { admitImport, applyImport, examineImport, stageList } from '../roles/import-list.ts'
import type { Applied, ImportFacts, ImportOptions } from '../roles/import-list.ts'
import { whoApproves } from './bank-contents.ts'
import { formatOf, openListFile, sourceOfFile } from './bank-list-file.ts'
import { printImport } from './bank-import-facts.ts'
import { importProgress } from './bank-progress.ts'
import { exitCodes } from './exit-codes.ts'
import type { Io } from './io.ts'
import { withExamples } from './examples.ts'
import { count, printJson } from './output.ts'
import { parseOneOf } from './parse.ts'
import { whileThereIsRoom } from './low-disk.ts'
import { withSession } from './session.ts'
import type { CommandSession } from './session.ts'

type Options = {
  format?: string
  source?: string
  replace?: boolean
  abandon?: boolean
  dryRun?: boolean
  json?: boolean
}

const sourceCharsMax = 100

export function addBankImport(command: Command, io: Io): void {
  withExamples(
    command
      .command('import')
      .description('bring a list of known items into a bank; a killed import goes on where it was')
      .argument('<NAME>', 'the bank')
      .argument('[FILE]', 'CSV or JSON Lines; - is stdin; none: go on with what is open')
      .option('--format <FORMAT>', `${listFormats.join(' or ')}; not set: by the file's name`)
      .option('--source <LIST>', "the list's name; the next import of it is compared with this one")
      .option('--replace', 'what the list no longer has leaves the bank')
      .option('--abandon', 'drop the open import of the list; what came in stays')
      .option('--dry-run', 'read, compare and show; change nothing')
      .option('--json', 'print the result as JSON')
      .action((name: string, file: string | undefined, options: Options) =>
        run(io, name, file, options),
      ),
    [
      'bank import KNOWN_BAD hashes.csv --dry-run',
      'bank import KNOWN_BAD hashes.csv --source partner --replace',
      'bank import KNOWN_BAD --source partner --abandon',
    ],
  )
}

async function run(
  io: Io,
  name: string,
  file: string | undefined,
  options: Options,
): Promise<void> {
  const { source } = options
  if (source !== undefined && (source.trim() === '' || source.length > sourceCharsMax)) {
    throw new UsageError(`--source has 1 to ${sourceCharsMax} characters`)
  }
  await withSession(io, async (session) => {
    const bank = await bankNamed(session.db, name)
    if (options.abandon === true) {
      await abandon(io, session, bank, file, options)
      return
    }
    using room = await whileThereIsRoom(session.config, io.stop)
    const stoppable = { ...io, stop: room.signal }
    if (file === undefined) await goOn(stoppable, session, bank, options)
    else await importFile(stoppable, session, bank, file, options)
  })
}

async function importFile(
  io: Io,
  session: CommandSession,
  bank: Bank,
  file: string,
  options: Options,
): Promise<void> {
  const format =
    options.format === undefined
      ? formatOf(file)
      : parseOneOf(options.format, '--format', listFormats)
  if (format === undefined) {
    throw new UsageError(`--format says what ${file} is: ${listFormats.join(' or ')}`)
  }
  const { db, nowMs } = session
  const principal = await session.principal()
  const source = options.source ?? sourceOfFile(file)
  if (source === exchangeSource)
    throw new UsageError(`a list is not called ${exchangeSource}: name it with --source`)
  const { chunks, bytes, digest } = await openListFile(file)
  const replaces = options.replace === true
  const opened = await openImport(db, {
    bank: bank.name,
    source,
    digest,
    replaces,
    principal,
    nowMs: nowMs(),
  })
  const isDryRun = options.dryRun === true
  if (opened.resumed && isDryRun) {
    throw new UsageError('an import of this list is open: finish or --abandon it, then --dry-run')
  }
  if (opened.resumed && opened.state === 'staging')
    io.err(`goes on after line ${opened.staged}, where it was stopped.`)
  const running = runningImport(io, session, bank, opened, principal)
  try {
    if (opened.state === 'staging')
      await stageList(running, { chunks, bytes, format, staged: opened.staged })
    if (!isDryRun) {
      await finish(io, running, source, options)
      return
    }
    const facts = await examineImport(running)
    printResult(io, options, { bank: bank.name, source, facts })
    if (options.json !== true) io.out('Nothing was changed: --dry-run.')
  } catch (error) {
    // A list that cannot be taken leaves nothing open behind.
    if (error instanceof UsageError && !isDryRun) {
      const { state } = await importCounts(db, opened.import)
      if (state === 'staging' || state === 'staged') await drop(session, bank, source, principal)
    }
    throw error
  } finally {
    if (isDryRun) await drop(session, bank, source, principal)
  }
}

async function drop(session: CommandSession, bank: Bank, source: string, principal: number) {
  const nowMs = session.nowMs()
  await abandonImport(session.db, { bank: bank.name, source, principal, nowMs })
}

async function goOn(io: Io, session: CommandSession, bank: Bank, options: Options): Promise<void> {
  const open = (await openImports(session.db, bank.id)).filter(
    ({ source }) => options.source === undefined || options.source === source,
  )
  const [found, ...more] = open
  if (found === undefined) throw new UsageError('bank import needs a file: no import is open')
  if (more.length > 0) {
    throw new UsageError(
      `--source says which import goes on: ${open.map(({ source }) => source).join(', ')}`,
    )
  }
  if (found.state === 'staging') {
    throw new UsageError(
      `the list '${found.source}' was read to line ${found.staged}: name the file again, or --abandon it`,
    )
  }
  const principal = await session.principal()
  await finish(io, runningImport(io, session, bank, found, principal), found.source, options)
}

function runningImport(
  io: Io,
  { db, config, others, nowMs }: CommandSession,
  bank: Bank,
  opened: OpenImport,
  principal: number,
): ImportOptions {
  return {
    db,
    bank,
    import: opened.import,
    others: others(),
    settings: config,
    principal,
    clock: nowMs,
    onProgress: importProgress(io),
    signal: io.stop,
  }
}

/** From whatever state the import is in to its end, or to where a person has to approve. */
async function finish(
  io: Io,
  running: ImportOptions,
  source: string,
  options: Options,
): Promise<void> {
  const { db, bank } = running
  const before = await importCounts(db, running.import)
  let facts: ImportFacts | undefined
  let decision: ImportDecision | undefined
  if (before.state === 'staged') {
    facts = await examineImport(running)
    if (facts.counts.adds + facts.counts.deletes + facts.counts.unchanged === 0) {
      printResult(io, options, { bank: bank.name, source, facts })
      throw new UsageError('no line of the list can be taken: nothing was changed')
    }
    decision = await admitImport(running, facts)
  } else if (before.state === 'waiting') {
    const [open] = (await openImports(db, bank.id)).filter((one) => one.import === running.import)
    decision = {
      state: 'waiting',
      proposal: open?.proposal ?? null,
      aloneUntil: null,
      reasons: [],
    }
  }
  const waits = decision?.state === 'waiting'
  const applied = waits ? undefined : await applyImport(running)
  const modeNow = (await bankNamed(db, bank.name)).mode
  const nowObserves = modeNow === 'observe' && bank.mode !== 'observe'
  printResult(io, options, { bank: bank.name, source, facts, decision, applied, nowObserves })
  if (waits) io.setExitCode(exitCodes.notOk)
}

type Result = {
  bank: string
  source: string
  facts?: ImportFacts | undefined
  decision?: ImportDecision | undefined
  applied?: Applied | undefined
  /** The bank acted or held before, and observes because this was its first list. */
  nowObserves?: boolean
}

function printResult(io: Io, options: Options, result: Result): void {
  if (options.json === true) {
    printJson(io, result)
    return
  }
  const { bank, facts, decision, applied } = result
  if (facts !== undefined) printImport(io, facts)
  if (decision?.state === 'waiting' && decision.proposal !== null) {
    const why = decision.reasons.length > 0 ? ` (${decision.reasons.join(', ')})` : ''
    io.out(
      `Nothing is in the bank yet: proposal ${decision.proposal}${why}; ${whoApproves(decision.proposal, decision.aloneUntil)}`,
    )
  }
  if (applied !== undefined) {
    io.out(
      `${count(applied.added, 'content')} added to ${bank}, ${applied.removed} removed, ${applied.unchanged} unchanged; a running service compares what it scanned before.`,
    )
  }
  if (result.nowObserves === true)
    io.out(
      `${bank} observes now, because this is its first list: bank set ${bank} --mode … lets it act.`,
    )
}

async function abandon(
  io: Io,
  session: CommandSession,
  bank: Bank,
  file: string | undefined,
  options: Options,
): Promise<void> {
  const source =
    options.source ?? (file === undefined ? await onlySource(session, bank) : sourceOfFile(file))
  const dropped = await abandonImport(session.db, {
    bank: bank.name,
    source,
    principal: await session.principal(),
    nowMs: session.nowMs(),
  })
  if (options.json === true) {
    printJson(io, { bank: bank.name, source, dropped })
    return
  }
  const inBank =
    dropped.state === 'applying' && dropped.position > 0
      ? `lines 1 to ${dropped.position} are in the bank and stay there`
      : 'nothing of it is in the bank'
  io.out(`the import of '${source}' into ${bank.name} is dropped: ${inBank}.`)
}

async function onlySource({ db }: CommandSession, bank: Bank): Promise<string> {
  const [only, ...more] = await openImports(db, bank.id)
  if (only === undefined || more.length > 0) {
    throw new UsageError(
      only === undefined ? 'no import into this bank is open' : '--source says which list',
    )
  }
  return only.source
}
