// match: what the banks say about a file or a signal. Nothing is recorded and nothing follows from it.
import type { Command } from 'commander'
import { readBanks } from '../banks/bank-loader-head.ts'
import { findDigests } from '../banks/digest-lookup.ts'
import type { Bank, Match } from '../domain/bank.ts'
import { distanceBounds } from '../domain/bank.ts'
import { signalTypes } from '../domain/blob.ts'
import type { AnySignalType, Signals } from '../domain/blob.ts'
import { UsageError } from '../domain/errors.ts'
import { gate } from '../domain/gate.ts'
import type { OtherTypes } from '../domain/other-type.ts'
import { otherTypesOf } from '../plugins/plugin-hasher.ts'
import { matchNow } from '../roles/banks-now.ts'
import type { Variant } from '../domain/variant.ts'
import type { Io } from './io.ts'
import { withExamples } from './examples.ts'
import { exitCodes } from './exit-codes.ts'
import { readQueries, withoutSha256 } from './match-query.ts'
import type { Query } from './match-query.ts'
import { printJson, printTable } from './output.ts'
import { parseType, parseWhole } from './parse.ts'
import { configuredManifests } from './plugins.ts'
import { scanProgress } from './scan-progress.ts'
import { withSession } from './session.ts'
import type { CommandSession } from './session.ts'

type MatchOptions = {
  type?: string
  bank?: string
  distance?: string
  exitCode?: boolean
  json?: boolean
}
type Found = {
  what: string
  bank: string
  content: number
  type: AnySignalType
  distance: number
  variant: Variant
  /** `harmless`: of a negative bank; the others: why the service would set it aside. */
  counts: 'yes' | 'harmless' | 'set-aside-ratio' | 'set-aside-negative'
}

const distanceMax = Math.max(distanceBounds.pdq, distanceBounds.clip)

export function addMatch(program: Command, io: Io): void {
  withExamples(
    program
      .command('match')
      .description('compare files, signals or blob CIDs with the banks; records nothing')
      .argument('<WHAT...>', 'files, hex signals or blob CIDs; - is stdin')
      .option('--type <TYPE>', `only this type (${signalTypes.join(', ')}, or of a plug-in)`)
      .option('--bank <NAME>', 'only this bank')
      .option('--distance <N>', 'at most N bits away; never farther than each bank allows')
      .option('--exit-code', 'exit code 1 when something matches and counts')
      .option('--json', 'print the result as JSON')
      .action((what: string[], options: MatchOptions) => run(io, what, options)),
    [
      'match picture.jpg',
      'match --type md5 9e107d9d372bb6826bd81d3542a419d6',
      'match --bank SPAM --exit-code picture.jpg',
      'match --type pdq --distance 10 picture.jpg',
    ],
  )
}

async function run(io: Io, what: string[], options: MatchOptions): Promise<void> {
  const others = otherTypesOf(configuredManifests(io))
  const type = options.type === undefined ? undefined : parseType(options.type, others)
  const distance =
    options.distance === undefined
      ? undefined
      : parseWhole(options.distance, '--distance', { min: 0, max: distanceMax })
  const queries = await readQueries(io, what, { type, others })
  const found = await withSession(io, (session) =>
    findAll(io, session, { queries, others, distance, bank: options.bank }),
  )
  const shown = found.filter(
    (one) =>
      (type === undefined || one.type === type) &&
      (options.bank === undefined || one.bank === options.bank),
  )
  const isMatched = shown.some(({ counts }) => counts === 'yes')
  if (options.exitCode === true && isMatched) io.setExitCode(exitCodes.notOk)
  print(io, shown, queries, options)
}

async function findAll(
  io: Io,
  { db, nowMs }: CommandSession,
  asked: {
    queries: Query[]
    others: OtherTypes
    distance: number | undefined
    bank: string | undefined
  },
): Promise<Found[]> {
  const { queries, others, distance, bank } = asked
  const known = await readBanks(db)
  if (bank !== undefined && ![...known.values()].some(({ name }) => name === bank))
    throw new UsageError(`bank '${bank}' not found`)
  const blobs = queries.map(({ signals }) => signals)
  const most = distance ?? distanceMax
  const { banks, matches } = blobs.some(needsAll)
    ? await matchNow({
        db,
        blobs,
        others,
        distances: ({ policy }) => ({
          pdq: Math.min(policy.pdqDistanceMax, most),
          clip: Math.min(policy.clipDistanceMax, most),
        }),
        nowMs: nowMs(),
        onProgress: scanProgress(io, 'bank signals compared'),
        signal: io.stop,
      })
    : { matches: await findDigests(db, blobs, nowMs()), banks: await readBanks(db) }
  // How far a plug-in looks is its own; what was asked for is left out here.
  const isAsked = (match: Match) => distance === undefined || match.distance <= distance
  return queries.flatMap((query, i) => toFound(query, (matches[i] ?? []).filter(isAsked), banks))
}

/** Then every bank signal is read; digests are looked up. */
function needsAll({ pdq, variants, clip, others }: Signals): boolean {
  return [pdq, variants, clip, others].some((signal) => signal !== undefined)
}

/** Never the bank's signal (promise 8): content, type and distance tell a person enough. */
function toFound(
  { what, signals }: Query,
  matches: readonly Match[],
  banks: ReadonlyMap<number, Bank>,
): Found[] {
  // Which share of blobs a bank looks at depends on the blob's own digest.
  const asked = signals.sha256 === withoutSha256 ? inFull(banks) : banks
  const { counted, setAside } = gate(matches, asked, signals.sha256)
  const counts = new Map<Match['signalId'], Found['counts']>([
    ...counted.map(({ signalId }) => [signalId, 'yes'] as const),
    ...setAside.map(({ signalId, by }) => [signalId, `set-aside-${by}`] as const),
  ])
  return matches.map(({ signalId, bankId, contentId, type, distance, variant }) => ({
    what,
    bank: banks.get(bankId)?.name ?? `b${bankId}`,
    content: contentId,
    type,
    distance,
    variant,
    counts: counts.get(signalId) ?? 'harmless',
  }))
}

function inFull(banks: ReadonlyMap<number, Bank>): ReadonlyMap<number, Bank> {
  return new Map(
    [...banks].map(([id, bank]) => [id, { ...bank, policy: { ...bank.policy, ratio: 1 } }]),
  )
}

const countsSentences = {
  yes: 'yes',
  harmless: 'no: a bank of harmless pictures',
  'set-aside-ratio': 'no: not in the share of blobs that this bank looks at',
  'set-aside-negative': 'no: a bank of harmless pictures matches too',
} as const satisfies Record<Found['counts'], string>

function print(io: Io, found: Found[], queries: Query[], { json }: MatchOptions): void {
  const unscannable = queries.flatMap(({ what, unscannable }) =>
    unscannable === undefined ? [] : [{ what, reason: unscannable }],
  )
  if (json === true) {
    printJson(io, { matches: found, unscannable })
    return
  }
  const isPlain = found.every(({ counts }) => counts === 'yes')
  printTable(
    io,
    found,
    [
      { head: 'what', cell: (row) => row.what },
      { head: 'bank', cell: (row) => row.bank },
      { head: 'content', cell: (row) => row.content, align: 'right' },
      { head: 'type', cell: (row) => row.type },
      { head: 'distance', cell: (row) => row.distance, align: 'right' },
      { head: 'variant', cell: (row) => row.variant },
      ...(isPlain
        ? []
        : [{ head: 'counts', cell: (row: Found) => countsSentences[row.counts] } as const]),
    ],
    'Nothing matches.',
  )
  for (const { what, reason } of unscannable) io.out(`${what}: not compared in full (${reason})`)
}
