// The verifier's command line, apart from the process: arguments in, text and an exit code out.
import { readFileSync, statSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { textOf } from '../ledger/bytes.ts'
import { openCheckpoint } from '../ledger/note/checkpoint.ts'
import { folderFiles } from './folder-files.ts'
import { parseAge } from './parse-age.ts'
import {
  exitCodeOf,
  factLines,
  findingLines,
  proofSentence,
  verdictSentence,
  verdictWords,
} from './report-text.ts'
import { keysFor, makeTrust, originOf } from './trust.ts'
import type { Trust } from './trust.ts'
import { verifyBundle } from './verify-bundle.ts'
import type { Pin } from './verify-bundle.ts'
import { verifyProofFile } from './verify-proof-file.ts'
import { receiptLines, receiptSentence, verifyReceiptFile } from './verify-receipt-file.ts'

export const usageCode = 3

export type CliIo = {
  out(text: string): void
  err(text: string): void
  nowMs: number
  seed: number
}

export const help = `Verifies a ledger bundle of Blobwatch from its files and the keys you trust. Needs no network and no database.

  node verify.mjs BUNDLE --key VKEY [--key VKEY …]     the log's key, and its witnesses' if you have them
  node verify.mjs BUNDLE --policy FILE                 a C2SP tlog-policy: logs, witnesses, quorum
  node verify.mjs proof FILE.tlog-proof --entry FILE --key VKEY
  node verify.mjs receipt FILE --key VKEY              what was done to an account, by one receipt

  --max-age 24h     how old the newest anchored checkpoint may be (s, m, h, d)
  --now TIME        what time it is, as 2026-11-21T03:20:00Z (default: this machine's clock)
  --pin FILE        an older checkpoint that somebody kept; the bundle must contain it. May be repeated
  --json            the report as JSON

Exit codes: 0 true, 1 tampered (it says where), 2 incomplete or stale, 3 used in a wrong way.`

class UsageProblem extends Error {}

/** The exit code. */
export async function runCli(args: readonly string[], io: CliIo): Promise<number> {
  try {
    const { values, positionals } = parse(args)
    if (values.help === true || args.length === 0) {
      io.out(help)
      return args.length === 0 ? usageCode : 0
    }
    const trust = makeTrust({
      policy: values.policy === undefined ? undefined : readText(values.policy, '--policy'),
      keys: values.key ?? [],
    })
    if (typeof trust === 'string') throw new UsageProblem(trust)
    const [first, file, ...more] = positionals
    if (first === undefined || more.length > 0)
      throw new UsageProblem('name one bundle, or proof or receipt and one file')
    if (file === undefined) return await verifyOne(values, { folder: first, trust }, io)
    if (first === 'proof') return proveOne(values, { file, trust }, io)
    if (first === 'receipt') return checkOneReceipt(values, { file, trust }, io)
    throw new UsageProblem('name one bundle, or proof or receipt and one file')
  } catch (error) {
    if (!(error instanceof UsageProblem) && !isFileError(error)) throw error
    io.err(`${error.message}\n(--help shows how it is used)`)
    return usageCode
  }
}

type Values = ReturnType<typeof parse>['values']

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        key: { type: 'string', multiple: true },
        policy: { type: 'string' },
        'max-age': { type: 'string' },
        now: { type: 'string' },
        pin: { type: 'string', multiple: true },
        entry: { type: 'string' },
        json: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
      },
    })
  } catch (error) {
    throw new UsageProblem((error as Error).message)
  }
}

async function verifyOne(
  values: Values,
  { folder, trust }: { folder: string; trust: Trust },
  io: CliIo,
): Promise<number> {
  if (values.entry !== undefined) throw new UsageProblem('--entry goes with proof')
  if (!statSync(folder).isDirectory()) throw new UsageProblem(`${folder} is not a folder`)
  const report = await verifyBundle({
    files: folderFiles(folder),
    trust,
    nowMs: values.now === undefined ? io.nowMs : parseTime(values.now),
    maxAgeMs: values['max-age'] === undefined ? undefined : readAge(values['max-age']),
    pins: (values.pin ?? []).map((file) => readPin(file, trust)),
    seed: io.seed,
    onProgress: (done, of) => io.err(`${done} of ${of} entries`),
  })
  if ('usage' in report) throw new UsageProblem(report.usage)
  if (values.json === true) io.out(JSON.stringify(report, null, 2))
  else
    io.out(
      [
        `${verdictWords[report.verdict]}: ${verdictSentence(report)}`,
        ...findingLines(report).map((line) => `  ${line}`),
        '',
        ...factLines(report),
      ].join('\n'),
    )
  return exitCodeOf[report.verdict]
}

function proveOne(
  values: Values,
  { file, trust }: { file: string; trust: Trust },
  io: CliIo,
): number {
  if (values.entry === undefined)
    throw new UsageProblem('--entry FILE names the entry that is proved')
  for (const name of ['pin', 'max-age', 'now'] as const)
    if (values[name] !== undefined) throw new UsageProblem(`--${name} does not go with proof`)
  const report = verifyProofFile({
    proof: new Uint8Array(readFileSync(file)),
    entry: new Uint8Array(readFileSync(values.entry)),
    trust,
  })
  if ('usage' in report) throw new UsageProblem(report.usage)
  if (values.json === true) io.out(JSON.stringify(report, null, 2))
  else
    io.out(
      [
        `${verdictWords[report.verdict]}: ${proofSentence(report)}`,
        ...findingLines(report).map((line) => `  ${line}`),
      ].join('\n'),
    )
  return exitCodeOf[report.verdict]
}

function checkOneReceipt(
  values: Values,
  { file, trust }: { file: string; trust: Trust },
  io: CliIo,
): number {
  for (const name of ['entry', 'pin', 'max-age', 'now'] as const)
    if (values[name] !== undefined) throw new UsageProblem(`--${name} does not go with receipt`)
  const report = verifyReceiptFile({ receipt: new Uint8Array(readFileSync(file)), trust })
  if ('usage' in report) throw new UsageProblem(report.usage)
  if (values.json === true) io.out(JSON.stringify(report, null, 2))
  else
    io.out(
      [`${verdictWords[report.verdict]}: ${receiptSentence(report)}`, ...receiptLines(report)].join(
        '\n',
      ),
    )
  return exitCodeOf[report.verdict]
}

/** Whoever kept it vouches for it: a signature by no known key will do, a wrong one will not. */
function readPin(file: string, trust: Trust): Pin {
  const note = readText(file, '--pin')
  const opened = openCheckpoint(note, keysFor(trust, originOf(note)))
  if (typeof opened === 'string')
    throw new UsageProblem(`--pin ${file} is no signed checkpoint: ${opened}`)
  if (opened.verdict.kind === 'wrong')
    throw new UsageProblem(`--pin ${file}: the signature of ${opened.verdict.name} is wrong`)
  return { name: file, checkpoint: opened.checkpoint }
}

function readText(file: string, option: string): string {
  const text = textOf(readFileSync(file))
  if (text === undefined) throw new UsageProblem(`${option} ${file} is not a text file`)
  return text
}

function readAge(text: string): number {
  const ageMs = parseAge(text)
  if (ageMs === undefined) throw new UsageProblem('--max-age is a number with s, m, h or d, as 24h')
  return ageMs
}

/** A moment that exists: the parser would roll 30 February over into March. */
function parseTime(text: string): number {
  const [, minute, second = ':00'] =
    /^(\d{4}-\d\d-\d\dT\d\d:\d\d)(:\d\d)?(?:\.\d+)?Z$/.exec(text) ?? []
  const atMs = minute === undefined ? Number.NaN : Date.parse(text)
  if (Number.isNaN(atMs) || !new Date(atMs).toISOString().startsWith(`${minute}${second}`))
    throw new UsageProblem('--now is a time as 2026-11-21T03:20:00Z')
  return atMs
}

function isFileError(error: unknown): error is Error {
  return error instanceof Error && 'code' in error && 'syscall' in error
}
