// match: what the banks say about a file or a signal. Nothing is recorded and nothing follows from it.
import { existsSync } from 'node:fs'
import type { Command } from 'commander'
import { createBankBook } from '../banks/bank-book.ts'
import { digestDigits } from '../banks/bank-store.ts'
import type { Bank, Match } from '../domain/bank.ts'
import type { SignalType, Signals } from '../domain/blob.ts'
import { blobDigest } from '../domain/cid.ts'
import { UsageError } from '../domain/errors.ts'
import { createMemoryMatcher } from '../matching/memory-matcher.ts'
import type { Io } from './io.ts'
import { withExamples } from './examples.ts'
import { exitCodes } from './exit-codes.ts'
import { printJson, printTable } from './output.ts'
import { parseOneOf } from './parse.ts'
import { hashFile, withHasher } from './read-blob.ts'
import { withSession } from './session.ts'

type MatchOptions = { type?: string; bank?: string; exitCode?: boolean; json?: boolean }
type Query = { what: string; signals: Signals; unscannable?: string }
type Found = { what: string; bank: string; content: number; type: SignalType; distance: number }

const signalTypes = ['sha256', 'md5', 'sha1', 'pdq'] as const satisfies SignalType[]
/** A query by another type has no sha256; no bank signal is the empty text. */
const withoutSha256 = ''

export function addMatch(program: Command, io: Io): void {
  withExamples(
    program
      .command('match')
      .description('compare files, signals or blob CIDs with the banks; records nothing')
      .argument('<WHAT...>', 'files, hex signals or blob CIDs; - is stdin')
      .option('--type <TYPE>', `only this type (${signalTypes.join(', ')})`)
      .option('--bank <NAME>', 'only this bank')
      .option('--exit-code', 'exit code 1 when something matches')
      .option('--json', 'print the result as JSON')
      .action((what: string[], options: MatchOptions) => run(io, what, options)),
    [
      'match picture.jpg',
      'match --type md5 9e107d9d372bb6826bd81d3542a419d6',
      'match --bank SPAM --exit-code picture.jpg',
    ],
  )
}

async function run(io: Io, what: string[], options: MatchOptions): Promise<void> {
  const type =
    options.type === undefined ? undefined : parseOneOf(options.type, '--type', signalTypes)
  const queries = await readQueries(io, what, type)
  const found = await withSession(io, async ({ db }) => {
    const matcher = createMemoryMatcher({ clock: Date.now })
    const book = createBankBook({ db, clock: Date.now, apply: (change) => matcher.apply(change) })
    await book.refresh()
    const banks = [...book.banks().values()]
    if (options.bank !== undefined && !banks.some((bank) => bank.name === options.bank)) {
      throw new UsageError(`bank '${options.bank}' not found`)
    }
    return queries.flatMap((query) =>
      matcher
        .match(query.signals)
        .matches.map((match) => toFound(query.what, match, book.banks()))
        .filter((one) => type === undefined || one.type === type)
        .filter((one) => options.bank === undefined || one.bank === options.bank),
    )
  })
  if (options.exitCode === true && found.length > 0) io.setExitCode(exitCodes.notOk)
  const unscannable = queries.flatMap(({ what, unscannable }) =>
    unscannable === undefined ? [] : [{ what, reason: unscannable }],
  )
  if (options.json === true) {
    printJson(io, { matches: found, unscannable })
    return
  }
  printTable(
    io,
    found,
    [
      { head: 'what', cell: (row) => row.what },
      { head: 'bank', cell: (row) => row.bank },
      { head: 'content', cell: (row) => row.content, align: 'right' },
      { head: 'type', cell: (row) => row.type },
      { head: 'distance', cell: (row) => row.distance, align: 'right' },
    ],
    'Nothing matches.',
  )
  for (const { what, reason } of unscannable) io.out(`${what}: not compared in full (${reason})`)
}

/** Never the bank's signal (promise 8): content, type and distance tell a person enough. */
function toFound(what: string, match: Match, banks: ReadonlyMap<number, Bank>): Found {
  const bank = banks.get(match.bankId)?.name ?? `b${match.bankId}`
  return { what, bank, content: match.contentId, type: match.type, distance: match.distance }
}

async function readQueries(io: Io, what: string[], type: SignalType | undefined): Promise<Query[]> {
  const isFile = (one: string) => one === '-' || existsSync(one)
  const bySignal = what.filter((one) => !isFile(one)).map((one) => querySignal(one, type))
  const files = what.filter(isFile)
  if (files.length === 0) return bySignal
  const byFile = await withHasher(io, async (hasher) => {
    const queries: Query[] = []
    for (const file of files) {
      const hashed = await hashFile(io, hasher, file)
      const signals = 'signals' in hashed ? hashed.signals : { sha256: withoutSha256 }
      const { unscannable } = hashed
      queries.push({ what: file, signals, ...(unscannable !== undefined && { unscannable }) })
    }
    return queries
  })
  return [...byFile, ...bySignal]
}

/** 64 hex digits may be a sha256 or a PDQ hash: both are tried unless --type says which. */
function querySignal(text: string, type: SignalType | undefined): Query {
  const value = (blobDigest(text) ?? text).toLowerCase()
  const fits = (one: SignalType) =>
    (type === undefined || type === one) && value.length === digestDigits[one]
  if (!/^[0-9a-f]+$/.test(value) || !signalTypes.some(fits)) {
    const wanted = type === undefined ? '' : ` of type ${type}`
    throw new UsageError(`${text} is neither a file nor a signal${wanted} in hex nor a blob CID`)
  }
  return {
    what: text,
    signals: {
      sha256: fits('sha256') ? value : withoutSha256,
      ...(fits('md5') && { md5: value }),
      ...(fits('sha1') && { sha1: value }),
      ...(fits('pdq') && blobDigest(text) === undefined && { pdq: { hash: value, quality: 100 } }),
    },
  }
}
