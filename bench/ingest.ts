// How many frames a second go from a relay into Postgres: the real firehose source, the real take_in, a Postgres that
// waits for the disk, and a cursor that moves with each batch.
import { noOtherTypes } from '../src/domain/other-type.ts'
import { callStep } from '../src/db/client.ts'
import type { Database } from '../src/db/client.ts'
import { createFirehose } from '../src/sources/firehose.ts'
import type { StoredCursor, TakenBatch } from '../src/sources/firehose-options.ts'
import { createTakeIn } from '../src/steps/take-in.ts'
import type { Bench, BenchOptions, BenchResult } from './bench.ts'
import { treeCpuSeconds } from './cpu.ts'
import { startHelper } from './helper-process.ts'
import type { IngestRelayInput, IngestRelayReady } from './ingest-relay.ts'
import { round } from './machine.ts'
import { percentile } from './percentile.ts'
import { postmasterPid, scratchDatabase } from './scratch.ts'

const goal = { framesPerSecond: 2_000 } as const
const frames = { full: 600_000, quick: 100_000 } as const
/** A figure is worth the same after this long, whatever is left in the relay. */
const measuredMsMax = { full: 120_000, quick: 15_000 } as const

export const bench: Bench = {
  about: 'frames a second from a relay into Postgres',
  run: measureIngest,
}

async function measureIngest({ quick, signal, tell }: BenchOptions): Promise<BenchResult> {
  const size = quick ? 'quick' : 'full'
  tell(`encoding ${frames[size]} frames`)
  const input: IngestRelayInput = { frames: frames[size] }
  await using relay = await startHelper<IngestRelayReady>('./ingest-relay.ts', input)
  await using scratch = await scratchDatabase({ waitsForDisk: true })
  const postgres = await postmasterPid(scratch.dataDir)
  const cpuBefore = cpuOf(postgres, relay.pid)
  const run = await follow(scratch.app, relay.ready.url, {
    framesTotal: frames[size],
    measuredMsMax: measuredMsMax[size],
    signal,
  })
  const cpu = cpuOf(postgres, relay.pid)
  return report(run, {
    ourCpuSeconds: cpu.ours - cpuBefore.ours,
    postgresCpuSeconds: cpu.postgres - cpuBefore.postgres,
    frameBytes: relay.ready.bytes / frames[size],
  })
}

type Run = {
  seconds: number
  frames: number
  sightings: number
  batches: number
  rssMb: number
  takeInMs: number[]
}

/** Follows until every frame is durable or the time is over. */
async function follow(
  db: Database,
  url: string,
  options: { framesTotal: number; measuredMsMax: number; signal: AbortSignal },
): Promise<Run> {
  const host = 'bench'
  const done = new AbortController()
  const run: Run = { seconds: 0, frames: 0, sightings: 0, batches: 0, rssMb: 0, takeInMs: [] }
  const takeIn = createTakeIn({
    ...{ db, clock: Date.now, source: 'firehose', host, others: noOtherTypes },
  })
  const startMs = performance.now()
  const firehose = createFirehose({
    url,
    host,
    clock: Date.now,
    log: { info() {}, warn() {} },
    ignoredDids: new Set(),
    loadCursor: () => leadCursor(db, host),
    takeIn: async (batch) => {
      const beganMs = performance.now()
      const outcome = await takeIn(batch)
      run.takeInMs.push(performance.now() - beganMs)
      return outcome
    },
    metrics: {
      taken: (batch: TakenBatch) => {
        run.seconds = (performance.now() - startMs) / 1000
        run.frames += batch.frames
        run.sightings += batch.sightings
        run.batches += 1
        run.rssMb = Math.max(run.rssMb, process.memoryUsage.rss() / 1e6)
        if (run.frames >= options.framesTotal) done.abort()
      },
    },
  })
  const late = AbortSignal.timeout(options.measuredMsMax)
  const ended = await firehose.run(AbortSignal.any([options.signal, done.signal, late]))
  options.signal.throwIfAborted()
  if (ended !== 'stopped' || run.frames === 0) throw new Error(`the firehose ended: ${ended}`)
  await assertDurable(db, run)
  return run
}

async function leadCursor(db: Database, host: string): Promise<StoredCursor> {
  const [row] = await callStep<{ epoch: number; position: number | null }[]>(db, 'lead_cursor_v1', {
    source: 'firehose',
    host,
    now: new Date(),
  })
  if (row === undefined) throw new TypeError('lead_cursor_v1 answers with one row')
  return { position: row.position, epoch: row.epoch, eventTimeMs: null }
}

/** A figure for frames that did not arrive would be worth nothing. */
async function assertDurable(db: Database, run: Run): Promise<void> {
  const [row] = await db<{ sightings: number; jobs: number; position: number }[]>`
    select (select count(*) from sighting) as sightings, (select count(*) from job) as jobs,
      (select position from cursor) as position`
  if (row === undefined || row.sightings < run.sightings || row.jobs !== row.sightings)
    throw new Error(`${run.sightings} sightings were told, ${row?.sightings} are there`)
  if (row.position < run.frames) throw new Error('the cursor is behind what was told')
}

function cpuOf(postgres: number, relay: number): { ours: number; postgres: number } {
  return {
    ours: treeCpuSeconds(process.pid, [postgres, relay]),
    postgres: treeCpuSeconds(postgres),
  }
}

function report(
  run: Run,
  cost: { ourCpuSeconds: number; postgresCpuSeconds: number; frameBytes: number },
): BenchResult {
  const figures = {
    framesPerSecond: round(run.frames / run.seconds),
    goalFramesPerSecond: goal.framesPerSecond,
    sightingsPerSecond: round(run.sightings / run.seconds),
    framesPerOwnCpuSecond: round(run.frames / cost.ourCpuSeconds),
    framesPerPostgresCpuSecond: round(run.frames / cost.postgresCpuSeconds),
    framesPerBatch: round(run.frames / run.batches),
    takeInMsP50: round(percentile(run.takeInMs, 0.5), 1),
    takeInMsP99: round(percentile(run.takeInMs, 0.99), 1),
    takeInShareOfTime: round(run.takeInMs.reduce((a, b) => a + b, 0) / 1000 / run.seconds, 2),
    rssMb: round(run.rssMb),
    frames: run.frames,
    frameBytesMean: round(cost.frameBytes),
  }
  return {
    figures,
    table: { head: ['figure', 'value'], rows: Object.entries(figures) },
    notes: [
      `${figures.framesPerSecond} frames a second, goal at least ${goal.framesPerSecond}: ${figures.framesPerSecond >= goal.framesPerSecond ? 'met' : 'MISSED'}`,
    ],
  }
}
