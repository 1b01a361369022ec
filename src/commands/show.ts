// show: everything known about one thing, whatever it is called.
import type { Command } from 'commander'
import { blobForMachines, forMachines, matchForMachines } from '../cases/for-machines.ts'
import {
  actionsAbout,
  decisionsAbout,
  labelsAbout,
  matchesOf,
  sightingsAbout,
  subjectsAbout,
} from '../cases/about.ts'
import type { About } from '../cases/about.ts'
import { accountOf, blobRow, caseOf, openScan } from '../cases/case-file.ts'
import type { AccountRow, BlobRow, OpenScan } from '../cases/case-file.ts'
import type { Database } from '../db/client.ts'
import { blobDigest } from '../domain/cid.ts'
import { UsageError } from '../domain/errors.ts'
import type { Io } from './io.ts'
import { parseCase, parsePartRows, showCase } from './case-show.ts'
import type { ShowOptions } from './case-show.ts'
import { withExamples } from './examples.ts'
import { printFacts, printJson, printSection, shortTime } from './output.ts'
import {
  actionColumns,
  decisionColumns,
  matchColumns,
  sightingColumns,
  subjectColumns,
} from './places.ts'
import { withSession } from './session.ts'

export function addShow(program: Command, io: Io): void {
  withExamples(
    program
      .command('show')
      .description('everything known about a record, an account, a blob or a case')
      .argument('<WHAT>', 'an at:// address, a DID, a blob CID or a case number')
      .option('--limit <N>', 'rows of each part', '100')
      .option('--json', 'print the result as JSON')
      .action((what: string, options: ShowOptions) =>
        withSession(io, ({ db }) =>
          /^\d+$/.test(what)
            ? showCase(io, db, parseCase(what), options)
            : showThing(io, db, what, options),
        ),
      ),
    [
      'show at://did:plc:ewvi7nxzyoun6zhxrhs64oiz/app.bsky.feed.post/3juxz',
      'show did:plc:ewvi7nxzyoun6zhxrhs64oiz',
      'show bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku',
      'show 7',
    ],
  )
}

type Thing = {
  about: About
  uri?: string
  account?: AccountRow
  cid?: string
  blob?: BlobRow
  scan?: OpenScan
  caseNumber?: number
}

async function showThing(io: Io, db: Database, what: string, options: ShowOptions): Promise<void> {
  const limit = parsePartRows(options)
  const thing = await findThing(db, what)
  if (thing === undefined) {
    if (options.json === true) printJson(io, { what, known: false })
    else io.out(`Nothing is known about ${what}.`)
    return
  }
  const { about } = thing
  const sightings = await sightingsAbout(db, about, limit)
  const decisions = await decisionsAbout(db, about, limit)
  const cids = about.cid === undefined ? decisions.map((row) => row.cid) : [about.cid]
  const parts = {
    sightings,
    matches: await matchesOf(db, [...new Set(cids)], limit),
    decisions,
    actions: await actionsAbout(db, about, limit),
    subjects: await subjectsAbout(db, about, limit),
    labels: await labelsAbout(
      db,
      { ...about, ...(thing.uri !== undefined && { uri: thing.uri }) },
      limit,
    ),
  }
  if (options.json === true) printJson(io, asDocument(what, thing, parts))
  else printThing(io, thing, parts)
}

type Parts = {
  sightings: Awaited<ReturnType<typeof sightingsAbout>>
  matches: Awaited<ReturnType<typeof matchesOf>>
  decisions: Awaited<ReturnType<typeof decisionsAbout>>
  actions: Awaited<ReturnType<typeof actionsAbout>>
  subjects: Awaited<ReturnType<typeof subjectsAbout>>
  labels: Awaited<ReturnType<typeof labelsAbout>>
}

/** undefined: well written, and never seen. Throws UsageError for anything else. */
async function findThing(db: Database, what: string): Promise<Thing | undefined> {
  const [, did, collection, rkey] =
    /^(?:at:\/\/)?(did:[^/\s]+)(?:\/([^/\s]+)\/([^/\s]+))?$/.exec(what) ?? []
  if (did !== undefined) {
    const account = await accountOf(db, did)
    if (account === undefined) return undefined
    if (collection === undefined || rkey === undefined)
      return { about: { account: account.id }, account }
    return {
      about: { account: account.id, collection, rkey },
      account,
      uri: `at://${did}/${collection}/${rkey}`,
    }
  }
  const cid = blobDigest(what)
  if (cid === undefined) {
    throw new UsageError(
      'show takes an at:// address with a DID, a DID, a blob CID (bafkrei…) or a case number',
    )
  }
  const blob = await blobRow(db, cid)
  const scan = await openScan(db, cid)
  const caseNumber = await caseOf(db, cid)
  const [seen] = await sightingsAbout(db, { cid }, 1)
  if (blob === undefined && scan === undefined && seen === undefined) return undefined
  return {
    about: { cid },
    cid: what,
    ...(blob && { blob }),
    ...(scan && { scan }),
    ...(caseNumber !== undefined && { caseNumber }),
  }
}

function asDocument(what: string, thing: Thing, parts: Parts): object {
  return {
    what,
    known: true,
    ...(thing.account && { account: thing.account }),
    ...(thing.blob && { blob: blobForMachines(thing.blob) }),
    ...(thing.scan && { openScan: thing.scan }),
    ...(thing.caseNumber !== undefined && { case: thing.caseNumber }),
    sightings: parts.sightings.map(forMachines),
    matches: parts.matches.map(matchForMachines),
    decisions: parts.decisions.map(forMachines),
    actions: parts.actions.map(forMachines),
    subjects: parts.subjects.map(forMachines),
    labels: parts.labels,
  }
}

function printThing(io: Io, thing: Thing, parts: Parts): void {
  const { account, blob, scan, caseNumber } = thing
  printFacts(io, [
    ['record', thing.uri],
    ['account', account?.did],
    ['status', account?.status],
    ['blob', thing.cid],
    [
      'verdict',
      blob === undefined ? undefined : [blob.verdict, blob.reason].filter(Boolean).join(': '),
    ],
    ['kind', blob?.kind ?? undefined],
    ['bytes', blob?.bytes ?? undefined],
    ['scanned', blob === undefined ? undefined : shortTime(blob.hashedAt)],
    ['open scan', scan && `${scan.reason}, ${scan.attempts} tries, next ${shortTime(scan.nextAt)}`],
    ['case', caseNumber === undefined ? undefined : `${caseNumber} (case show ${caseNumber})`],
  ])
  printSection(io, 'Sightings', parts.sightings, sightingColumns)
  printSection(io, 'What hosts said', scan?.tries ?? [], [
    { head: 'host', cell: (row) => row.host },
    { head: 'answer', cell: (row) => row.outcome },
  ])
  printSection(io, 'Matches', parts.matches, matchColumns)
  printSection(io, 'Decisions', parts.decisions, decisionColumns)
  printSection(io, 'Actions', parts.actions, actionColumns)
  printSection(io, 'Standing', parts.subjects, subjectColumns)
  printSection(io, 'Labels', parts.labels, [
    { head: 'label', cell: (row) => (row.neg ? `not ${row.val}` : row.val) },
    { head: 'on', cell: (row) => row.uri },
  ])
}
