// Whether the PDQ index keeps its size: lookups, adds and removals through hundreds of rebuilds, and the memory after each.
import { setImmediate as nextTurn } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { createPdqIndex } from '../src/matching/pdq-index.ts'
import type { PdqIndex } from '../src/matching/pdq-index.ts'
import { generateBatches, randomHash, randomWords } from '../src/matching/pdq-model.ts'
import type { Bench, BenchOptions, BenchResult } from './bench.ts'
import { round } from './machine.ts'
import { percentile } from './percentile.ts'

const goals = {
  full: { lookups: 2_000_000, rebuilds: 1000, warmUp: 500 },
  quick: { lookups: 100_000, rebuilds: 20, warmUp: 10 },
} as const
const hashes = 200_000
/** Added and removed for each rebuild, so that the number of hashes stays the same. */
const changed = 2000
const radius = 31
/** Rebuilds from one look at the memory to the next. */
const sampleEvery = 10
/** What the slope an hour assumes: an index is rebuilt for every 8,192 hashes that came, and this is 490,000 an hour. */
const rebuildsPerHour = 60

export const bench: Bench = {
  about: 'megabytes an hour by which the PDQ index grows through lookups and rebuilds',
  run: measureSoak,
}

type Sample = { rebuilds: number; rssMb: number; heapKb: number }

async function measureSoak({ quick, signal, tell }: BenchOptions): Promise<BenchResult> {
  const goal = goals[quick ? 'quick' : 'full']
  await using index = createPdqIndex({ pendingMax: changed - 1 })
  await index.load(
    (async function* () {
      yield* generateBatches(hashes, { seed: 1 })
    })(),
  )
  fillYoungGeneration()
  const samples: Sample[] = []
  const random = randomWords(7)
  const collect = exposedCollector()
  const lookupsEach = goal.lookups / goal.rebuilds
  let startMs = 0
  let lookups = 0
  for (let n = 0; n < goal.warmUp + goal.rebuilds; n++) {
    signal.throwIfAborted()
    if (n === goal.warmUp) {
      startMs = performance.now()
      lookups = 0
    }
    replaceRows(index, n)
    for (let k = 0; k < lookupsEach || index.status().rebuilding; k++, lookups++) {
      index.search(randomHash(random), radius)
      if (k % 50 === 0) await nextTurn()
    }
    if (n % sampleEvery !== sampleEvery - 1) continue
    collect()
    const { rss, heapUsed } = process.memoryUsage()
    if (n >= goal.warmUp) samples.push({ rebuilds: n, rssMb: rss / 1e6, heapKb: heapUsed / 1e3 })
    if (n % 100 === 99) tell(`${n + 1} rebuilds, ${round(rss / 1e6, 1)} MB`)
  }
  const { rebuilds, rebuildFailures, signals } = index.status()
  if (signals !== hashes) throw new Error(`${signals} rows instead of ${hashes}`)
  const rssMb = samples.map((sample) => sample.rssMb)
  const mbPerRebuild = medianSlope(samples, (sample) => sample.rssMb)
  const figures = {
    lookups,
    rebuilds: rebuilds - goal.warmUp,
    rebuildFailures,
    slopeMbPerHour: round(mbPerRebuild * rebuildsPerHour, 3),
    rebuildsPerHour,
    rssMbPer100Rebuilds: round(mbPerRebuild * 100, 3),
    heapKbPer100Rebuilds: round(medianSlope(samples, (sample) => sample.heapKb) * 100, 1),
    rssFirstMb: round(rssMb[0]!, 1),
    rssLastMb: round(rssMb[rssMb.length - 1]!, 1),
    rssP50Mb: round(percentile(rssMb, 0.5), 1),
    rssMaxMb: round(percentile(rssMb, 1), 1),
    minutes: round((performance.now() - startMs) / 60_000, 1),
  }
  return {
    figures,
    table: { head: ['figure', 'value'], rows: Object.entries(figures) },
    notes: [
      `${hashes} hashes, ${changed} added and as many removed before each rebuild.`,
      `Memory after every ${sampleEvery} rebuilds and a collection, after ${goal.warmUp} rebuilds to warm up; slopes by Theil and Sen.`,
      `slopeMbPerHour: at ${rebuildsPerHour} rebuilds an hour with ${lookupsEach} lookups each, ${round((lookupsEach * rebuildsPerHour) / 3600)} a second.`,
      ...(quick ? ['Quick: too short for the slopes to mean much.'] : []),
    ],
  }
}

/**
 * V8 lets a thread's young generation grow to 48 MB, in steps thousands of rebuilds apart: each would look like a
 * leak. This takes the steps at once; what grows after that is growth.
 */
function fillYoungGeneration(): void {
  let kept: unknown[] = []
  for (let n = 0; n < 3_000_000; n++) {
    kept.push({ n })
    if (kept.length === 300_000) kept = []
  }
}

/** So that what waits to be collected does not count as growth. */
function exposedCollector(): () => void {
  setFlagsFromString('--expose-gc')
  return runInNewContext('gc') as () => void
}

function replaceRows(index: PdqIndex, round: number): void {
  const first = round * changed + 1
  index.remove(Uint32Array.from({ length: changed }, (_, n) => first + n))
  const options = { seed: round + 2, firstId: hashes + first, batchRows: changed }
  for (const batch of generateBatches(changed, options)) index.add(batch)
}

/** By rebuild; the median of the slopes between all pairs, so that single peaks do not count. */
function medianSlope(samples: readonly Sample[], valueOf: (sample: Sample) => number): number {
  const slopes: number[] = []
  for (const [at, a] of samples.entries()) {
    for (const b of samples.slice(at + 1)) {
      slopes.push((valueOf(b) - valueOf(a)) / (b.rebuilds - a.rebuilds))
    }
  }
  return percentile(slopes, 0.5)
}
