// ledger verify: computes every byte of the ledger anew, from the database or from an exported copy.
import { randomInt } from 'node:crypto'
import { readFileSync, statSync } from 'node:fs'
import type { Command } from 'commander'
import { UsageError } from '../domain/errors.ts'
import { openCheckpoint } from '../ledger/note/checkpoint.ts'
import { readHead } from '../ledger/read-ledger.ts'
import { folderFiles } from '../verifier/folder-files.ts'
import { factLines, findingLines, verdictSentence, verdictWords } from '../verifier/report-text.ts'
import { makeTrust } from '../verifier/trust.ts'
import type { Trust } from '../verifier/trust.ts'
import { verifyBundle } from '../verifier/verify-bundle.ts'
import type { Pin } from '../verifier/verify-bundle.ts'
import type { Io } from './io.ts'
import { findDataKey } from './data-key.ts'
import { withExamples } from './examples.ts'
import { couldNotCheck, exitCodes } from './exit-codes.ts'
import { checkStored } from './ledger-check-stored.ts'
import type { StoredReport } from './ledger-check-stored.ts'
import { count, printJson, printTable } from './output.ts'
import { withSession } from './session.ts'

type VerifyOptions = {
  file?: string
  key: string[]
  policy?: string
  pin: string[]
  expect?: string
  json?: boolean
}
type Head = { size: number; hash: string }

const progressEvery = 50_000

export function addLedgerVerify(command: Command, io: Io): void {
  const gather = (value: string, before: string[]) => [...before, value]
  withExamples(
    command
      .command('verify')
      .description(
        'compute every entry, the tree and every signed head anew; exit code 1 with what does not hold, 2 when a copy lacks something',
      )
      .option('--file <FOLDER>', 'an exported copy instead of the database')
      .option('--key <VKEY>', 'the key of the log, or of a witness; may be repeated', gather, [])
      .option('--policy <FILE>', 'logs, witnesses and quorum (C2SP tlog-policy)')
      .option('--pin <FILE>', 'a checkpoint that was kept; may be repeated', gather, [])
      .option(
        '--expect <SIZE:HASH>',
        'a head that was written down earlier: the ledger must still contain it',
      )
      .option('--json', 'print the result as JSON')
      .action((options: VerifyOptions) => run(io, options)),
    [
      'ledger verify',
      'ledger verify --file ./ledger-2026-11 --policy policy.txt --pin checkpoint-of-may',
      'ledger verify --expect 1200:9f86d081…',
    ],
  )
}

async function run(io: Io, options: VerifyOptions): Promise<void> {
  const expected = options.expect === undefined ? undefined : parseExpected(options.expect)
  const trust = readTrust(options)
  const pins = options.pin.map((file) => readPin(file))
  if (options.file !== undefined) {
    if (expected !== undefined)
      throw new UsageError('--expect is for the database; pin a checkpoint of a copy: --pin FILE')
    if (trust === undefined)
      throw new UsageError('a copy is verified against keys: give --key or --policy (ledger key)')
    await verifyCopy(io, options.file, { trust, pins, json: options.json === true })
    return
  }
  await verifyDatabase(io, options, { trust, pins, expected })
}

async function verifyCopy(
  io: Io,
  folder: string,
  options: { trust: Trust; pins: Pin[]; json: boolean },
): Promise<void> {
  if (statSync(folder, { throwIfNoEntry: false })?.isDirectory() !== true)
    throw new UsageError(`${folder} is no folder`)
  const report = await verifyBundle({
    ...{ files: folderFiles(folder), trust: options.trust, pins: options.pins },
    nowMs: Date.now(),
    seed: randomInt(2 ** 32),
    onProgress: (done, of) => io.err(`${done} of ${of} entries`),
  })
  if ('usage' in report) throw new UsageError(report.usage)
  const codes = { true: exitCodes.ok, tampered: exitCodes.notOk, incomplete: couldNotCheck }
  io.setExitCode(codes[report.verdict])
  if (options.json) printJson(io, report)
  else {
    io.out(`${verdictWords[report.verdict]}: ${verdictSentence(report)}`)
    for (const line of [...findingLines(report), '', ...factLines(report)]) io.out(line)
  }
}

async function verifyDatabase(
  io: Io,
  options: VerifyOptions,
  given: { trust: Trust | undefined; pins: Pin[]; expected: Head | undefined },
): Promise<void> {
  const { expected } = given
  const report = await withSession(io, async ({ config, db }) => {
    const head = await readHead(db)
    if (head === undefined) return undefined
    const dataKey = await findDataKey(config, db)
    if (dataKey === undefined)
      io.err('No data key on this machine: kept values are not compared with their commitments.')
    let found: string | undefined
    let told = 0
    const checked = await checkStored(db, {
      ...{ head, dataKey, trust: given.trust, pins: given.pins },
      onPage(entries, done) {
        const entry = expected && entries.find(({ seq }) => seq === expected.size - 1)
        if (entry !== undefined) found = entry.hash.toString('hex')
        if (done - told < progressEvery) return
        told = done
        io.err(`${done} of ${head.size} entries`)
      },
    })
    return withExpected(checked, expected, found)
  })
  const isThere = report !== undefined
  const ok = isThere
    ? report.faults.length === 0
    : expected === undefined && given.pins.length === 0
  if (!ok) io.setExitCode(exitCodes.notOk)
  if (options.json === true) printJson(io, { ok, ...(report ?? { entries: 0, faults: [] }) })
  else if (!isThere)
    io.out('There is no ledger yet: it begins with the first start of the service.')
  else printReport(io, report, given.trust !== undefined)
}

/** A head somebody wrote down: entry SIZE - 1 must still have that hash. Finds a truncated or rewritten log. */
function withExpected(
  report: StoredReport,
  expected: Head | undefined,
  found: string | undefined,
): StoredReport {
  if (expected === undefined || found === expected.hash) return report
  const problem =
    found === undefined
      ? `the ledger is shorter than the ${expected.size} entries that it had`
      : 'the entry at the expected head is another one'
  return { ...report, faults: [...report.faults, { seq: expected.size - 1, problem }] }
}

function parseExpected(text: string): Head {
  const [, size, hash] = /^(\d{1,15}):([0-9a-f]{64})$/i.exec(text) ?? []
  if (size === undefined || hash === undefined || Number(size) === 0) {
    throw new UsageError('--expect is SIZE:HASH, as ledger verify prints it')
  }
  return { size: Number(size), hash: hash.toLowerCase() }
}

function readTrust(options: VerifyOptions): Trust | undefined {
  if (options.policy === undefined && options.key.length === 0) return undefined
  const trust = makeTrust({
    policy: options.policy === undefined ? undefined : readText(options.policy, '--policy'),
    keys: options.key,
  })
  if (typeof trust === 'string') throw new UsageError(trust)
  return trust
}

function readPin(file: string): Pin {
  const opened = openCheckpoint(readText(file, '--pin'), [])
  if (typeof opened === 'string')
    throw new UsageError(`--pin ${file} is no signed checkpoint: ${opened}`)
  return { name: file, checkpoint: opened.checkpoint }
}

function readText(file: string, option: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (cause) {
    throw new UsageError(`${option} ${file} cannot be read`, { cause })
  }
}

function printReport(io: Io, report: StoredReport, isSigned: boolean): void {
  const { entries, faults, gaps, openIntents, commitments } = report
  if (faults.length > 0) {
    printTable(
      io,
      faults,
      [
        { head: 'entry', cell: (row) => row.seq ?? '', align: 'right' },
        { head: 'what does not hold', cell: (row) => row.problem },
      ],
      '',
    )
    io.out(
      `The ledger does NOT hold: ${count(faults.length, 'fault')} in ${count(entries, 'entry', 'entries')}.`,
    )
    return
  }
  io.out(`The ledger holds: ${count(entries, 'entry', 'entries')}, head ${entries}:${report.head}`)
  io.out(
    `${count(report.checkpoints, 'signed checkpoint')} compared${isSigned ? ' with their signatures' : ' (without --key or --policy signatures are not checked)'}; ${count(report.unsigned, 'entry', 'entries')} after the newest.`,
  )
  io.out(
    `${count(commitments.opened, 'kept value')} compared with their commitments; ${count(commitments.erased, 'entry', 'entries')} erased or not opened.`,
  )
  for (const { seq, problem } of gaps) io.out(seq === null ? problem : `entry ${seq}: ${problem}`)
  if (openIntents > 0)
    io.out(`${count(openIntents, 'intent')} without a result yet: on the way, or in hold list.`)
}
