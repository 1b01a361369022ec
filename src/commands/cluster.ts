// cluster: which pictures of the kept window look alike, in groups. Nothing is recorded and nothing follows from it.
import type { Command } from 'commander'
import { banksOf, verdictsOf } from '../cases/groups.ts'
import type { GroupVerdicts } from '../cases/groups.ts'
import type { Database } from '../db/client.ts'
import { distanceBounds, policyDefaults } from '../domain/bank.ts'
import type { Hex } from '../domain/blob.ts'
import { blobCidOf } from '../domain/cid.ts'
import { clusterWindow } from '../roles/cluster.ts'
import { placesSince, windowLimits } from '../roles/seen-window.ts'
import type { Io } from './io.ts'
import { withExamples } from './examples.ts'
import { count, printJson, printTable, shortTime } from './output.ts'
import type { Column } from './output.ts'
import { addPaging, onPage, parsePage, tellMore } from './paging.ts'
import type { PageOptions } from './paging.ts'
import { parseSince, parseWhole } from './parse.ts'
import { scanProgress } from './scan-progress.ts'
import { withSession } from './session.ts'
import { parseDistance } from './similar.ts'

type ClusterOptions = PageOptions & { distance: string; min: string; since: string; json?: boolean }

type Group = {
  blobs: number
  sightings: number
  accounts: number
  first: Date
  last: Date
  /** The member that was seen most often. */
  example: string
  verdicts: GroupVerdicts
  banks: string[]
}

const blobsMinMax = 1_000_000

export function addCluster(program: Command, io: Io): void {
  const command = program
    .command('cluster')
    .description('groups of pictures that look alike among what was seen lately; records nothing')
    .option(
      '--distance <N>',
      `how many of 256 bits may differ between neighbours, 0 to ${distanceBounds.pdq}`,
      String(policyDefaults.pdqDistanceMax),
    )
    .option('--min <N>', 'blobs that a group needs to be shown', '3')
    .option('--since <WHEN>', 'a span back from now (7d, 12h) or a day (2026-11-01)', '7d')
    .option('--json', 'print the result as JSON')
    .action((options: ClusterOptions) => run(io, options))
  withExamples(addPaging(command), [
    'cluster',
    'cluster --since 24h --distance 20 --min 10',
    'cluster --json --limit 5',
  ])
}

async function run(io: Io, options: ClusterOptions): Promise<void> {
  const page = parsePage(options)
  const distanceMax = parseDistance(options.distance)
  const blobsMin = parseWhole(options.min, '--min', { min: 2, max: blobsMinMax })
  await withSession(io, async ({ db, nowMs }) => {
    const since = parseSince(options.since, '--since', nowMs())
    const { pictures, groups } = await clusterWindow({
      db,
      since,
      distanceMax,
      blobsMin,
      progress: {
        onLoad: scanProgress(io, 'blobs read'),
        onCompare: scanProgress(io, 'hashes compared'),
      },
      signal: io.stop,
    })
    const { rows, more } = onPage(groups.slice(page.offset, page.offset + page.limit + 1), page)
    const shown: Group[] = []
    for (const cids of rows) shown.push(await describe(db, cids, since))
    if (options.json === true) {
      const total = groups.length
      printJson(io, { since, distanceMax, pictures, total, groups: shown, page: page.number, more })
      return
    }
    const seen = `${count(pictures, 'picture')} seen since ${shortTime(since)}`
    printTable(io, shown, columns, `No ${blobsMin} of ${seen} look alike.`)
    tellMore(io, page, more)
    if (groups.length > 0) io.out(`${count(groups.length, 'group')} among ${seen}.`)
  })
}

async function describe(db: Database, cids: Hex[], since: Date): Promise<Group> {
  const accounts = new Set<number>()
  const group = { sightings: 0, first: new Date(8.64e15), last: new Date(0), example: '' }
  let most = 0
  for await (const places of placesSince(db, cids, since)) {
    for (const place of places) {
      group.sightings += place.sightings
      for (const account of place.accounts) accounts.add(account)
      if (place.first < group.first) group.first = place.first
      if (place.last > group.last) group.last = place.last
      if (place.sightings > most) {
        most = place.sightings
        group.example = blobCidOf(place.cid)
      }
    }
  }
  const verdicts = { clear: 0, matched: 0, unscannable: 0 }
  const banks = new Set<string>()
  for (let at = 0; at < cids.length; at += windowLimits.cidsPerQuestion) {
    const some = cids.slice(at, at + windowLimits.cidsPerQuestion)
    const counted = await verdictsOf(db, some)
    for (const kind of ['clear', 'matched', 'unscannable'] as const) verdicts[kind] += counted[kind]
    for (const name of await banksOf(db, some)) banks.add(name)
  }
  return { blobs: cids.length, ...group, accounts: accounts.size, verdicts, banks: [...banks] }
}

const columns: Column<Group>[] = [
  { head: 'blobs', cell: (row) => row.blobs, align: 'right' },
  { head: 'sightings', cell: (row) => row.sightings, align: 'right' },
  { head: 'accounts', cell: (row) => row.accounts, align: 'right' },
  { head: 'first', cell: (row) => shortTime(row.first) },
  { head: 'last', cell: (row) => shortTime(row.last) },
  { head: 'one of them', cell: (row) => row.example },
  { head: 'matched', cell: (row) => row.verdicts.matched, align: 'right' },
  { head: 'banks', cell: (row) => row.banks.join(', ') },
]
