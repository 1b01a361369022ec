// A picture's whole way: claim, resolve, fetch over HTTP, verify the CID, decode in the sandbox, hash, match, settle in
// Postgres. Everything that is ours counts as cost (this process, its decoders, Postgres); the PDS stand-in does not.
import { randomBytes } from 'node:crypto'
import { createBankBook } from '../src/banks/bank-book.ts'
import { addContent, createBank } from '../src/banks/bank-store.ts'
import { createBlobFetcher } from '../src/blobs/fetch-blob.ts'
import { createHostClient } from '../src/blobs/host-client.ts'
import { createHostResolver } from '../src/blobs/host-resolver.ts'
import { parseConfig } from '../src/config.ts'
import type { Database } from '../src/db/client.ts'
import { emptyBatch } from '../src/domain/batch.ts'
import { createLinearMatcher } from '../src/matching/linear-matcher.ts'
import { createBell } from '../src/queue/bell.ts'
import { runLoop } from '../src/queue/run-loop.ts'
import { claimScanWork, scan } from '../src/roles/scan.ts'
import type { ScanRoleOptions } from '../src/roles/scan.ts'
import { roleLimits } from '../src/service-roles.ts'
import { Decoder } from '../src/signals/decoder.ts'
import { noOtherTypes } from '../src/domain/other-type.ts'
import { createHasher } from '../src/signals/hasher.ts'
import { createTakeIn } from '../src/steps/take-in.ts'
import { principalId } from '../src/steps/withdraw.ts'
import { createTelemetry } from '../src/telemetry/events.ts'
import { createLog } from '../src/telemetry/log.ts'
import { silentLog } from '../src/testing/database.ts'
import { createMetrics } from '../src/telemetry/metrics.ts'
import type { Bench, BenchOptions, BenchResult } from './bench.ts'
import { treeCpuSeconds } from './cpu.ts'
import { decodeCost } from './decode-cost.ts'
import type { DecodeCost } from './decode-cost.ts'
import { startHelper } from './helper-process.ts'
import { round } from './machine.ts'
import { median } from './percentile.ts'
import { phonePicture } from './pictures.ts'
import type { PipelineHostInput, PipelineHostReady } from './pipeline-host.ts'
import { postmasterPid, scratchDatabase } from './scratch.ts'

const sizes = { full: { images: 3000, decodeMs: 5000 }, quick: { images: 400, decodeMs: 1500 } }
/** Settled before the clock starts: children are up, code is warm. */
const warmUpImages = 40
const bankSignals = 1000
const bankContents = 10
const pdsUrl = 'https://pds.bench.example'
const measuredMsMax = 300_000

export const bench: Bench = {
  about: 'images a second and core: fetch, verify, decode, hash, match, settle',
  run: measurePipeline,
}

async function measurePipeline({ quick, signal, tell }: BenchOptions): Promise<BenchResult> {
  const { images, decodeMs } = sizes[quick ? 'quick' : 'full']
  const input = { images: images + warmUpImages, pictures: 8, accounts: 50, pdsUrl }
  tell('making pictures')
  await using host = await startHelper<PipelineHostReady>(
    './pipeline-host.ts',
    input satisfies PipelineHostInput,
  )
  const config = parseConfig({}, () => '')
  await using scratch = await scratchDatabase({
    waitsForDisk: true,
    connectionsMax: config.scanSlots + 8,
  })
  const { app: db } = scratch
  await fillBank(db)
  await using decoder = await Decoder.start({ slots: config.decoderSlots, warn: tell })
  const options = await collaborators({ db, decoder, address: host.ready.address })
  const { blobs } = host.ready
  await settleAll(blobs.slice(0, warmUpImages), { ...options, slots: config.scanSlots, signal })

  const postgres = await postmasterPid(scratch.dataDir)
  const cpu = () => ({
    ours: treeCpuSeconds(process.pid, [postgres, host.pid]),
    parent: cpuOfThis(),
    postgres: treeCpuSeconds(postgres),
  })
  const before = cpu()
  const rest = blobs.slice(warmUpImages)
  const seconds = await settleAll(rest, { ...options, slots: config.scanSlots, signal })
  const after = cpu()
  await assertScanned(db, blobs.length)
  const cost = await decodeCost([await phonePicture(0), await phonePicture(1)], {
    forMs: decodeMs,
    signal,
  })
  return report({
    images,
    seconds,
    parentCpuSeconds: after.parent - before.parent,
    decoderCpuSeconds: after.ours - before.ours - (after.parent - before.parent),
    postgresCpuSeconds: after.postgres - before.postgres,
    jpegKbMean: host.ready.jpegKbMean,
    cost,
  })
}

async function fillBank(db: Database): Promise<void> {
  const nowMs = Date.now()
  const principal = await principalId(db, { kind: 'person', name: 'bench', nowMs })
  await createBank(db, { name: 'BENCH', mode: 'act', class: 'open', principal, nowMs })
  for (let n = 0; n < bankContents; n++) {
    const signals = Array.from({ length: bankSignals / bankContents }, () => ({
      type: 'pdq' as const,
      value: randomBytes(32).toString('hex'),
    }))
    await addContent(db, { bank: 'BENCH', signals, principal, nowMs })
  }
}

/** As service.ts joins them, with one difference: the budget of requests to one host, which would be all we measure. */
async function collaborators(parts: {
  db: Database
  decoder: Decoder
  address: string
}): Promise<Omit<ScanRoleOptions, 'onSettled'>> {
  const { db, decoder, address } = parts
  const clock = Date.now
  const createIndex = () => createLinearMatcher({ clock })
  const bankBook = createBankBook({ db, clock, log: silentLog, createIndex })
  await bankBook.refresh()
  const resolver = createHostResolver({ plcUrl: address, clock })
  const client = createHostClient({
    clock,
    pair: { url: pdsUrl, address },
    limits: { trustedRequestsPerSecond: 100_000 },
  })
  return {
    db,
    clock,
    matcher: bankBook.matcher,
    resolver,
    mode: 'act',
    fetcher: createBlobFetcher({ resolver, clock, client }),
    hasher: createHasher({ decoder }),
    others: noOtherTypes,
    banks: bankBook.banks,
    administeredPds: pdsUrl,
    canLabel: false,
    canPreserve: false,
    vault: undefined,
    readRecord: async () => ({ kind: 'none', reason: 'not-found' }),
    telemetry: createTelemetry({
      log: createLog({ level: 'error' }),
      metrics: createMetrics({ clock }),
    }),
  }
}

/** Takes the blobs in, then scans them with the service's own loop; the seconds that the scanning took. */
async function settleAll(
  blobs: PipelineHostReady['blobs'],
  options: Omit<ScanRoleOptions, 'onSettled'> & { slots: number; signal: AbortSignal },
): Promise<number> {
  await takeIn(options.db, blobs)
  const done = new AbortController()
  let left = blobs.length
  let failure: unknown
  const role: ScanRoleOptions = {
    ...options,
    onSettled: ({ result }) => {
      if (result === 'settled') left -= 1
      if (left === 0) done.abort()
    },
  }
  const late = AbortSignal.timeout(measuredMsMax)
  const startMs = performance.now()
  await runLoop(
    {
      slots: options.slots,
      claim: (free) => claimScanWork(role, free),
      handle: (job, signal) => scan(job, role, signal),
      bell: createBell(),
      idleMs: roleLimits.idleMs,
      failureMs: roleLimits.failureMs,
      onError: (error) => {
        failure = error
        done.abort()
      },
      workSignal: options.signal,
    },
    AbortSignal.any([options.signal, done.signal, late]),
  )
  options.signal.throwIfAborted()
  if (failure !== undefined) throw new Error('a scan failed', { cause: failure })
  if (left > 0) throw new Error(`${left} images were not settled in time`)
  return (performance.now() - startMs) / 1000
}

async function takeIn(db: Database, blobs: PipelineHostReady['blobs']): Promise<void> {
  const take = createTakeIn({
    ...{ db, clock: Date.now, source: 'firehose', host: 'bench', others: noOtherTypes },
  })
  for (let from = 0; from < blobs.length; from += 500) {
    const sightings = blobs.slice(from, from + 500).map(({ did, blobCid }, n) => ({
      did,
      blobCid,
      source: 'firehose' as const,
      collection: 'app.bsky.feed.post',
      rkey: `post${from + n}`,
    }))
    await take({ ...emptyBatch(), sightings })
  }
}

/** Seconds of this process alone. */
function cpuOfThis(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1e6
}

/** A picture that was not looked at must not count as fast. */
async function assertScanned(db: Database, images: number): Promise<void> {
  const rows = await db<{ verdict: string; reason: string | null; hashed: boolean; n: number }[]>`
    select verdict, reason, pdq is not null as hashed, count(*) as n from blob group by 1, 2, 3`
  const [row] = rows
  if (rows.length !== 1 || row?.verdict !== 'clear' || !row.hashed || row.n !== images)
    throw new Error(`not all of ${images} pictures are clear: ${JSON.stringify(rows)}`)
}

function report(run: {
  images: number
  seconds: number
  parentCpuSeconds: number
  decoderCpuSeconds: number
  postgresCpuSeconds: number
  jpegKbMean: number
  cost: DecodeCost
}): BenchResult {
  const { images, cost } = run
  const cpuSeconds = run.parentCpuSeconds + run.decoderCpuSeconds + run.postgresCpuSeconds
  const msEach = (seconds: number) => round((1000 * seconds) / images, 2)
  const figures = {
    imagesPerSecondPerCore: round(images / cpuSeconds, 1),
    imagesPerSecond: round(images / run.seconds, 1),
    cpuMsPerImage: msEach(cpuSeconds),
    cpuMsInParent: msEach(run.parentCpuSeconds),
    cpuMsInDecoders: msEach(run.decoderCpuSeconds),
    cpuMsInPostgres: msEach(run.postgresCpuSeconds),
    decodeOnlyMs: round(median(cost.decode.ms), 2),
    pdqMs: round(median(cost.hash.ms), 2),
    jpegKbMean: run.jpegKbMean,
    bankSignals,
    images,
  }
  return {
    figures,
    table: { head: ['figure', 'value'], rows: Object.entries(figures) },
    notes: ['The budget of requests to one host is lifted; in service it is 10 a second.'],
  }
}
