// What a running service would have written: a blob seen in a record, scanned, matched, decided, and entered.
import { createHash } from 'node:crypto'
import { noOtherTypes } from '../domain/other-type.ts'
import { createBankBook } from '../banks/bank-book.ts'
import { emptyBatch } from '../domain/batch.ts'
import type { Mode } from '../domain/bank.ts'
import { blobCidOf } from '../domain/cid.ts'
import { decide } from '../domain/decide.ts'
import { createDataKey } from '../ledger/seal.ts'
import { createSequencer } from '../ledger/sequencer.ts'
import { createLinearMatcher } from '../matching/linear-matcher.ts'
import { ensureRoom } from '../service-database.ts'
import { leadLedger } from '../steps/append.ts'
import { claimScans, settle } from '../steps/scan.ts'
import type { ScanFound, ScanJob } from '../steps/scan.ts'
import { createTakeIn } from '../steps/take-in.ts'
import { callStep } from '../db/client.ts'
import { silentLog } from '../testing/database.ts'
import type { TestDatabase } from '../testing/database.ts'

export const testDid = `did:plc:${'b'.repeat(24)}`
export const testDataKey = '11'.repeat(32)

export function digestOfText(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

export function cidOfText(text: string): string {
  return blobCidOf(digestOfText(text))
}

/** The blob with these bytes was seen in a post and scanned; what follows depends on the banks. */
export async function see(
  database: TestDatabase,
  input: { text: string; rkey: string; did?: string; mode: Mode; unscannable?: 'corrupt' },
): Promise<{ uri: string; cid: string }> {
  const { app } = database
  await ensureRoom(database.owner, Date.now())
  const did = input.did ?? testDid
  const collection = 'app.bsky.feed.post'
  const cid = cidOfText(input.text)
  const takeIn = createTakeIn({
    ...{ db: app, clock: Date.now, source: 'webhook', host: 'test', others: noOtherTypes },
  })
  const sighting = { did, blobCid: cid, source: 'webhook' as const, collection, rkey: input.rkey }
  await takeIn({ ...emptyBatch(), sightings: [sighting] })
  for (const job of await claimScans(app, { limit: 10, nowMs: Date.now() })) {
    const found = await scanned(database, job, input.mode, input.unscannable)
    await settle(app, { job, tries: [], nowMs: Date.now(), found })
  }
  return { uri: `at://${did}/${collection}/${input.rkey}`, cid }
}

/** What waits becomes entries, and what may leave is released. */
export async function enter(
  database: TestDatabase,
  dataKey = createDataKey(testDataKey),
): Promise<void> {
  const { app } = database
  await callStep(app, 'deployment_v1', {
    id: 'test',
    dataKeyId: dataKey.id,
    now: new Date(),
  })
  const stop = new AbortController()
  const sequencer = createSequencer({
    db: app,
    clock: Date.now,
    dataKey,
    limits: {
      takedownsPerDay: 100,
      labelsPerDay: 100,
      actionsPerContent: 50,
      floodBlobs: 1_000_000,
      floodAccounts: 1_000_000,
      floodFactor: 5,
    },
    wait: async () => stop.abort(),
  })
  await sequencer.run(await leadLedger(app, 'test/ledger'), stop.signal)
}

async function scanned(
  { app }: TestDatabase,
  job: ScanJob,
  mode: Mode,
  unscannable: 'corrupt' | undefined,
): Promise<ScanFound> {
  const clock = Date.now
  const createIndex = () => createLinearMatcher({ clock })
  const book = createBankBook({ db: app, clock, log: silentLog, createIndex })
  await book.refresh()
  const signals = { sha256: job.cid, md5: job.cid.slice(0, 32), sha1: job.cid.slice(0, 40) }
  const { matches, generation } = await book.matcher.match(signals)
  const decisions = matches.length === 0 ? [] : job.sightings
  return {
    verdict:
      matches.length > 0
        ? { kind: 'matched' }
        : unscannable === undefined
          ? { kind: 'clear' }
          : { kind: 'unscannable', reason: unscannable },
    media: 'other',
    bytes: 5,
    signals,
    bankGeneration: generation,
    matches,
    decisions: decisions.map((place) => ({
      place,
      decision: decide({
        deploymentMode: mode,
        retroactive: false,
        matches,
        banks: book.banks(),
        place: {
          ...(place.collection !== null && { collection: place.collection }),
          ...(place.rkey !== null && { rkey: place.rkey }),
          administered: true,
        },
        canLabel: false,
        canPreserve: false,
      }),
    })),
  }
}
