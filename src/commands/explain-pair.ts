// explain --pair: how far two things are apart, by type and variant, and for which banks that is near enough.
import { bankNamed, listBanks } from '../banks/bank-store.ts'
import { matchFacts } from '../cases/explain-blob.ts'
import type { Database } from '../db/client.ts'
import { pdqQualityMin } from '../domain/blob.ts'
import { UsageError } from '../domain/errors.ts'
import { isExact } from '../domain/signal-kind.ts'
import { distancesOf, thresholdsFor } from '../roles/compare-pair.ts'
import type { Comparable, PairDistance } from '../roles/compare-pair.ts'
import { readComparables } from './comparable.ts'
import { bitPicture, isClosed } from './explain-bits.ts'
import type { ExplainOptions } from './explain.ts'
import type { Io } from './io.ts'
import { printJson, printTable } from './output.ts'
import { parseType } from './parse.ts'
import { withSession } from './session.ts'

export async function explainPair(
  io: Io,
  pair: [string, string],
  options: ExplainOptions,
): Promise<void> {
  await withSession(io, async (session) => {
    const { db } = session
    const others = session.others()
    const type = options.type === undefined ? undefined : parseType(options.type, others)
    const [a, b] = (await readComparables(io, db, pair, { type, others })) as [
      Comparable,
      Comparable,
    ]
    const distances = distancesOf(a, b)
    const banks =
      options.bank === undefined ? await listBanks(db) : [await bankNamed(db, options.bank)]
    const thresholds = distances.flatMap((one) => thresholdsFor(one, banks, others))
    const bits = options.bits === true ? await bitsOf(db, [a, b], distances) : undefined
    if (options.json === true) {
      const shown = distances.map(({ type, distance, variant }) => ({ type, distance, variant }))
      printJson(io, { a: a.what, b: b.what, distances: shown, thresholds, ...(bits && { bits }) })
      return
    }
    printTable(
      io,
      distances,
      [
        { head: 'type', cell: (row) => row.type },
        {
          head: 'distance',
          cell: (row) =>
            !isExact(row.type) ? (row.distance ?? '') : row.distance === 0 ? 'equal' : 'differs',
        },
        { head: 'variant', cell: (row) => row.variant ?? '' },
      ],
      'The two have no type of signal in common.',
    )
    if (distances.some(({ variant }) => variant !== undefined))
      io.out(`${a.what} was turned, mirrored and trimmed; ${b.what} was taken as it is.`)
    for (const one of [a, b]) {
      const why = whyLess(one)
      if (why !== undefined) io.out(`${one.what}: ${why}`)
    }
    if (thresholds.length > 0)
      printTable(
        io,
        thresholds,
        [
          { head: 'bank', cell: (row) => row.bank },
          { head: 'type', cell: (row) => row.type },
          { head: 'permitted', cell: (row) => row.permitted, align: 'right' },
          { head: 'match', cell: (row) => (row.matches ? 'yes' : 'no') },
        ],
        '',
      )
    for (const line of bits ?? []) io.out(`  ${line}`)
  })
}

/** Why a type that one might expect is missing. */
function whyLess({ signals, unscannable, cid }: Comparable): string | undefined {
  if (unscannable !== undefined) return `not compared in full (${unscannable})`
  const quality = signals.pdq?.quality
  if (quality !== undefined && quality < pdqQualityMin)
    return `PDQ quality ${quality} is under ${pdqQualityMin}: not compared`
  if (cid !== undefined && signals.md5 === undefined)
    return 'no scan is stored; only its digest is known'
  return undefined
}

async function bitsOf(
  db: Database,
  pair: [Comparable, Comparable],
  distances: PairDistance[],
): Promise<string[] | undefined> {
  for (const { cid, what } of pair) {
    if (cid === undefined) continue
    const matches = await matchFacts(db, cid, 1000)
    if (matches.some(isClosed))
      throw new UsageError(
        `a restricted or confidential bank matches ${what}: its bits are not shown, they would tell that bank's`,
      )
  }
  const hashes = distances.find(({ type }) => type === 'pdq')?.hashes
  return hashes && bitPicture(...hashes)
}
