// similar: which blobs of the kept window look like one picture. Nothing is recorded and nothing follows from it.
import { existsSync } from 'node:fs'
import type { Command } from 'commander'
import type { Database } from '../db/client.ts'
import { distanceBounds, policyDefaults } from '../domain/bank.ts'
import type { Hex } from '../domain/blob.ts'
import { pdqQualityMin } from '../domain/blob.ts'
import { blobCidOf, blobDigest } from '../domain/cid.ts'
import { UsageError } from '../domain/errors.ts'
import { findSimilar, hashesOf, storedHashes } from '../roles/similar.ts'
import type { SimilarBlob } from '../roles/similar.ts'
import type { Io } from './io.ts'
import { withExamples } from './examples.ts'
import { count, printJson, printTable, shortTime } from './output.ts'
import type { Column } from './output.ts'
import { addPaging, parsePage, tellMore } from './paging.ts'
import type { PageOptions } from './paging.ts'
import { parseWhole } from './parse.ts'
import { hashFile, withHasher } from './read-blob.ts'
import { scanProgress } from './scan-progress.ts'
import { withSession } from './session.ts'

type SimilarOptions = PageOptions & { distance: string; json?: boolean }

export function addSimilar(program: Command, io: Io): void {
  const command = program
    .command('similar')
    .description('the blobs of the kept window that look like a blob or a file; records nothing')
    .argument('<WHAT>', 'a blob CID or a file; - is stdin')
    .option(
      '--distance <N>',
      `how many of 256 bits may differ, 0 to ${distanceBounds.pdq}`,
      String(policyDefaults.pdqDistanceMax),
    )
    .option('--json', 'print the result as JSON')
    .action((what: string, options: SimilarOptions) => run(io, what, options))
  withExamples(addPaging(command), [
    'similar bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku',
    'similar picture.jpg --distance 20 --json',
  ])
}

async function run(io: Io, what: string, options: SimilarOptions): Promise<void> {
  const page = parsePage(options)
  const distanceMax = parseDistance(options.distance)
  const ofFile = isFile(what) ? await fileHashes(io, what) : undefined
  await withSession(io, async ({ config, db, nowMs }) => {
    const { total, comparedBlobs, blobs } = await findSimilar({
      db,
      hashes: ofFile ?? (await blobHashes(db, what)),
      distanceMax,
      keepDays: config.keepDays,
      nowMs: nowMs(),
      limit: page.limit,
      offset: page.offset,
      onProgress: scanProgress(io, 'blobs compared'),
      signal: io.stop,
    })
    const more = page.offset + blobs.length < total
    if (options.json === true) {
      const rows = blobs.map(({ cid, ...row }) => ({ cid: blobCidOf(cid), ...row }))
      printJson(io, {
        what,
        distanceMax,
        comparedBlobs,
        total,
        blobs: rows,
        page: page.number,
        more,
      })
      return
    }
    printTable(
      io,
      blobs,
      columns,
      `None of ${count(comparedBlobs, 'stored blob')} that was seen in the last ${count(config.keepDays, 'day')} looks like it.`,
    )
    tellMore(io, page, more)
    if (total > 0) io.out(`${count(total, 'blob')} within ${distanceMax} bits.`)
  })
}

export function parseDistance(text: string): number {
  return parseWhole(text, '--distance', { min: 0, max: distanceBounds.pdq })
}

function isFile(what: string): boolean {
  return what === '-' || (blobDigest(what) === undefined && existsSync(what))
}

async function fileHashes(io: Io, file: string): Promise<Hex[]> {
  const hashed = await withHasher(io, (hasher) => hashFile(io, hasher, file))
  const hashes = 'signals' in hashed ? hashesOf(hashed.signals) : []
  if (hashes.length > 0) return hashes
  const why =
    hashed.unscannable ??
    ('signals' in hashed && hashed.signals.pdq !== undefined
      ? `PDQ quality ${hashed.signals.pdq.quality} is under ${pdqQualityMin}`
      : 'not a picture')
  throw new UsageError(`${file} has nothing to compare pictures by: ${why}`)
}

async function blobHashes(db: Database, what: string): Promise<Hex[]> {
  const cid = blobDigest(what)
  if (cid === undefined) throw new UsageError(`${what} is neither a file nor a blob CID (bafkrei…)`)
  const hashes = await storedHashes(db, cid)
  if (hashes === undefined)
    throw new UsageError(`no scan of ${what} is stored: give the file, or see show ${what}`)
  if (hashes.length === 0)
    throw new UsageError(
      `${what} has no PDQ hash of quality ${pdqQualityMin} or more: nothing can look like it`,
    )
  return hashes
}

const columns: Column<SimilarBlob>[] = [
  { head: 'blob', cell: (row) => blobCidOf(row.cid) },
  { head: 'distance', cell: (row) => row.distance, align: 'right' },
  { head: 'variant', cell: (row) => row.variant },
  { head: 'sightings', cell: (row) => row.sightings, align: 'right' },
  { head: 'accounts', cell: (row) => row.accounts, align: 'right' },
  { head: 'first', cell: (row) => shortTime(row.first) },
  { head: 'last', cell: (row) => shortTime(row.last) },
  { head: 'verdict', cell: (row) => row.verdict },
  { head: 'case', cell: (row) => row.caseNumber ?? '', align: 'right' },
]
