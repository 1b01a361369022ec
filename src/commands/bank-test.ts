// bank test: what one bank says about files and signals, whatever its mode; and whether it finds its own. Records nothing.
import { mkdtempDisposable, readdir, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Command } from 'commander'
import { bankNamed } from '../banks/bank-store.ts'
import { distanceBounds } from '../domain/bank.ts'
import type { Bank, Match } from '../domain/bank.ts'
import { UsageError } from '../domain/errors.ts'
import { matchNow } from '../roles/banks-now.ts'
import { checkSelf } from '../roles/self-check.ts'
import { readComparables } from './comparable.ts'
import type { Comparable } from '../roles/compare-pair.ts'
import type { Io } from './io.ts'
import { withExamples } from './examples.ts'
import { exitCodes } from './exit-codes.ts'
import { count, printJson, printTable } from './output.ts'
import { parseWhole } from './parse.ts'
import { scanProgress } from './scan-progress.ts'
import { withSession } from './session.ts'
import type { CommandSession } from './session.ts'

type TestOptions = { againstSelf?: boolean; distance?: string; json?: boolean }
type Sample = { what: string; matches: Match[]; unscannable?: string }

const samplesMax = 10_000

export function addBankTest(command: Command, io: Io): void {
  withExamples(
    command
      .command('test')
      .description(
        'what this bank says about samples, whatever its mode, its ratio and other banks; records nothing',
      )
      .argument('<NAME>', 'the bank')
      .argument('[SAMPLE...]', 'files, folders of files, hex signals or blob CIDs; - is stdin')
      .option('--distance <N>', `another PDQ distance than the bank's, 0 to ${distanceBounds.pdq}`)
      .option('--against-self', "whether an index finds each of the bank's own signals")
      .option('--json', 'print the result as JSON')
      .action((name: string, samples: string[], options: TestOptions) =>
        run(io, name, samples, options),
      ),
    [
      'bank test SPAM advert.png other.png',
      'bank test SPAM samples/ --distance 20',
      'bank test KNOWN_BAD --against-self',
    ],
  )
}

async function run(io: Io, name: string, samples: string[], options: TestOptions): Promise<void> {
  if ((samples.length === 0) !== (options.againstSelf === true))
    throw new UsageError('bank test takes samples, or --against-self')
  const bound = { min: 0, max: distanceBounds.pdq }
  const distance =
    options.distance === undefined ? undefined : parseWhole(options.distance, '--distance', bound)
  if (options.againstSelf === true) {
    await withSession(io, async (session) => runSelf(io, session, name, options.json === true))
    return
  }
  const names = await withoutFolders(samples)
  await withSession(io, async (session) => {
    const bank = await bankNamed(session.db, name)
    const queries = await readComparables(io, session.db, names, {
      type: undefined,
      others: session.others(),
    })
    const tested = await testSamples(io, session, { bank, queries, distance })
    const permitted = distance ?? bank.policy.pdqDistanceMax
    if (options.json === true)
      printJson(io, { bank: name, distance: permitted, ...summed(tested), samples: tested })
    else print(io, bank, tested, permitted)
  })
}

async function testSamples(
  io: Io,
  { db, others, nowMs }: CommandSession,
  asked: { bank: Bank; queries: Comparable[]; distance: number | undefined },
): Promise<Sample[]> {
  const { queries, bank } = asked
  const { matches } = await matchNow({
    db,
    blobs: queries.map(({ signals }) => signals),
    others: others(),
    banks: new Set([bank.id]),
    distances: ({ policy }) => ({
      pdq: asked.distance ?? policy.pdqDistanceMax,
      clip: policy.clipDistanceMax,
    }),
    nowMs: nowMs(),
    onProgress: scanProgress(io, 'bank signals compared'),
    signal: io.stop,
  })
  return queries.map(({ what, unscannable }, i) => ({
    what,
    matches: matches[i] ?? [],
    ...(unscannable !== undefined && { unscannable }),
  }))
}

function summed(samples: Sample[]) {
  const matched = samples.filter(({ matches }) => matches.length > 0).length
  const inFull = samples.filter(({ unscannable }) => unscannable === undefined).length
  return {
    tested: samples.length,
    matched,
    notMatched: samples.length - matched,
    notInFull: samples.length - inFull,
  }
}

function print(io: Io, bank: Bank, samples: Sample[], permitted: number): void {
  const rows = samples.flatMap(({ what, matches }) => matches.map((match) => ({ what, ...match })))
  printTable(
    io,
    rows,
    [
      { head: 'sample', cell: (row) => row.what },
      { head: 'content', cell: (row) => row.contentId, align: 'right' },
      { head: 'type', cell: (row) => row.type },
      { head: 'distance', cell: (row) => row.distance, align: 'right' },
      { head: 'variant', cell: (row) => row.variant },
    ],
    `${bank.name} matches none of the samples.`,
  )
  for (const { what, unscannable } of samples)
    if (unscannable !== undefined) io.out(`${what}: not compared in full (${unscannable})`)
  const { tested, matched, notMatched } = summed(samples)
  io.out(
    `${count(tested, 'sample')}: ${matched} matched, ${notMatched} not, at a PDQ distance of ${permitted}.`,
  )
}

async function runSelf(
  io: Io,
  { db, config, others, nowMs }: CommandSession,
  name: string,
  json: boolean,
): Promise<void> {
  const bank = await bankNamed(db, name)
  await using folder = await mkdtempDisposable(join(tmpdir(), 'blobwatch-index-'))
  const check = await checkSelf({
    db,
    bank: bank.id,
    layout:
      config.indexLayout === 'file' ? { kind: 'file', dataDir: folder.path } : { kind: 'memory' },
    others: others(),
    nowMs: nowMs(),
    onProgress: scanProgress(io, 'signals looked up'),
    signal: io.stop,
  })
  if (check.wrong.length > 0) io.setExitCode(exitCodes.notOk)
  if (json) {
    printJson(io, { bank: name, ...check })
    return
  }
  const disabled = check.disabled === 0 ? '' : `, ${check.disabled} are disabled and were not`
  io.out(`${name}: ${check.found} of ${count(check.signals, 'signal')} were found${disabled}.`)
  if (check.wrong.length > 0)
    io.out(`Not as they should be: contents ${check.wrong.join(', ')}. doctor, and report this.`)
}

async function withoutFolders(samples: string[]): Promise<string[]> {
  const files: string[] = []
  for (const sample of samples) {
    const about = await stat(sample).catch(() => undefined)
    if (about?.isDirectory() !== true) {
      files.push(sample)
      continue
    }
    const entries = await readdir(sample, { recursive: true, withFileTypes: true })
    const inside = entries.filter((entry) => entry.isFile())
    files.push(...inside.map((entry) => join(entry.parentPath, entry.name)).toSorted())
  }
  if (files.length === 0) throw new UsageError('there is no file in it')
  if (files.length > samplesMax)
    throw new UsageError(`${files.length} samples are more than ${samplesMax}: test a part of them`)
  return files
}
