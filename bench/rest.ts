// Our API as its callers have it: the service in a process of its own with keys and limits on, the load from another one.
// Postgres, the service and the load share the machine's cores.
import type { Database } from '../src/db/client.ts'
import type { Bench, BenchOptions, BenchResult } from './bench.ts'
import { treeCpuSeconds } from './cpu.ts'
import { freePort } from './free-port.ts'
import { startHelper } from './helper-process.ts'
import { round } from './machine.ts'
import { measureBatches } from './rest-batch.ts'
import type { RestLoad, RestMeasured } from './rest-load.ts'
import { keyFor, restSettings } from './rest-service.ts'
import { measureUploads } from './rest-uploads.ts'
import { postmasterPid, scratchDatabase } from './scratch.ts'
import { startService } from './service-process.ts'

const goal = { getPerSecond: 10_000, getP99Ms: 5, batchLookupsPerSecond: 16_000 } as const
const sizes = {
  full: { blobs: 1_000_000, seconds: 15, warmUpSeconds: 4 },
  quick: { blobs: 100_000, seconds: 5, warmUpSeconds: 2 },
} as const
/** Half of them are known. */
const pairs = 100_000
/** Enough for the throughput; and few enough that the latency is not that of a queue. */
const connections = { throughput: 64, latency: 4, rated: 16 } as const
/** Every so many known blobs have a case. */
const blobsPerCase = 100

export const bench: Bench = {
  about: 'requests a second of our API, with keys and limits on',
  run: measureRest,
}

async function measureRest({ quick, tell, signal }: BenchOptions): Promise<BenchResult> {
  const size = sizes[quick ? 'quick' : 'full']
  const gets = await measureView(size, tell)
  signal.throwIfAborted()
  const batches = await measureBatches(quick, tell)
  signal.throwIfAborted()
  const uploads = await measureUploads(quick, signal)
  return {
    figures: { blobs: size.blobs, ...gets, ...batches, ...uploads },
    table: {
      head: ['', 'measured', 'goal'],
      rows: [
        ['GET a blob, a second', gets.getPerSecond, goal.getPerSecond],
        [`GET a blob, p99 ms at ${connections.latency} connections`, gets.getP99Ms, goal.getP99Ms],
        [`GET a blob, p99 ms at ${goal.getPerSecond} a second`, gets.getAtGoalP99Ms, goal.getP99Ms],
        [`GET a blob, p99 ms at ${connections.throughput} connections`, gets.getLoadedP99Ms, ''],
        ['GET a blob, processor µs of the service', gets.serviceCpuUsPerGet, ''],
        ['GET a blob, processor µs of Postgres', gets.postgresCpuUsPerGet, ''],
        [
          `lookups a second in batches, ${batches.batchSignals} hashes`,
          batches.batchLookupsPerSecond,
          goal.batchLookupsPerSecond,
        ],
        ['lookups a second as a stream of lines', batches.streamLookupsPerSecond, ''],
        ['uploads hashed and looked up, a second', uploads.uploadsPerSecond, ''],
        ['the same pictures hashed alone, a second', uploads.decodesPerSecond, ''],
      ],
    },
  }
}

async function measureView(
  size: { blobs: number; seconds: number; warmUpSeconds: number },
  tell: (text: string) => void,
) {
  await using scratch = await scratchDatabase({ waitsForDisk: false })
  await fillBlobs(scratch.owner, size.blobs)
  const key = await keyFor(scratch.app, ['blob:read'])
  const privatePort = await freePort()
  await using service = await startService(restSettings(scratch.dataDir), privatePort)
  tell(`${size.blobs} blobs; the service is ready (${service.pid})`)
  const processes = [service.pid, await postmasterPid(scratch.dataDir)] as const
  const url = `http://127.0.0.1:${privatePort}`
  return await measureGets({ url, key, ...size, pairs }, processes)
}

type Target = Pick<RestLoad, 'url' | 'key' | 'pairs' | 'seconds' | 'warmUpSeconds'>

/** GET /api/v1/blobs/{did}/{cid} over random pairs. */
async function measureGets(
  { url, key, pairs, seconds, warmUpSeconds }: Target,
  processes: readonly [service: number, postgres: number],
) {
  const target = { url, key, pairs, seconds, warmUpSeconds }
  const load = async (count: number, rate?: number) => {
    await using helper = await startHelper<RestMeasured>('rest-load.ts', {
      ...target,
      connections: count,
      ...(rate !== undefined && { rate }),
    })
    if (helper.ready.failed > 0) throw new Error(`${helper.ready.failed} requests failed`)
    return helper.ready
  }
  const before = processes.map((pid) => treeCpuSeconds(pid))
  const loaded = await load(connections.throughput)
  const [service, postgres] = processes.map((pid, i) => treeCpuSeconds(pid) - before[i]!)
  const calm = await load(connections.latency)
  const atGoal = await load(connections.rated, goal.getPerSecond)
  return {
    getPerSecond: round(loaded.perSecond),
    getLoadedP99Ms: loaded.p99Ms,
    getCalmPerSecond: round(calm.perSecond),
    getP99Ms: calm.p99Ms,
    getAtGoalPerSecond: round(atGoal.perSecond),
    getAtGoalP99Ms: atGoal.p99Ms,
    // What other programs on the machine cannot change much.
    serviceCpuUsPerGet: round((service! / loaded.requests) * 1e6),
    postgresCpuUsPerGet: round((postgres! / loaded.requests) * 1e6),
  }
}

/** The even ones of twice as many, scanned and clear; some with a case. */
async function fillBlobs(owner: Database, blobs: number): Promise<void> {
  await owner`
    insert into blobwatch.blob (blob_cid, hashed_at, bank_generation, bytes, coverage, verdict, kind)
    select sha256(convert_to('blob ' || 2 * n, 'UTF8')), now(), 0, 100000, 15, 'clear', 'image'
    from generate_series(0, ${blobs - 1}::integer) n`
  await owner`
    with made as (
      insert into blobwatch.case_file (key, state, reason, opened_at)
      select 'bench:' || n, 'open', 'perceptual', now()
      from generate_series(0, ${blobs / blobsPerCase - 1}::integer) n returning id, key)
    insert into blobwatch.case_blob (blob_cid, case_file)
    select sha256(convert_to('blob ' || 2 * ${blobsPerCase}::integer * split_part(m.key, ':', 2)::integer, 'UTF8')), m.id
    from made m`
  await owner`analyze`
}
