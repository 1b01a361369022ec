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
  full: { lookups: 2_000_000, rebuilds: 200, warmUp: 100 },
  quick: { lookups: 100_000, rebuilds: 10, warmUp: 10 },
} as const
const hashes = 200_000
/** Added and removed for each rebuild, so that the number of hashes stays the same. */
const changed = 2000
const radius = 31

export const bench: Bench = {
  about: 'megabytes an hour by which the PDQ index grows through lookups and rebuilds',
  run: measureSoak,
}

type Sample = { hours: number; rssMb: number }

async function measureSoak({ quick, signal, tell }: BenchOptions): Promise<BenchResult> {
  const goal = goals[quick ? 'quick' : 'full']
  await using index = createPdqIndex({ pendingMax: changed - 1 })
  await index.load(
    (async function* () {
      yield* generateBatches(hashes, { seed: 1 })
    })(),
  )
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
    if (n < goal.warmUp) continue
    collect()
    samples.push({
      hours: (performance.now() - startMs) / 3_600_000,
      rssMb: process.memoryUsage.rss() / 1e6,
    })
    if (n % 50 === 49)
      tell(`${n + 1} rebuilds, ${lookups} lookups, ${round(samples[samples.length - 1]!.rssMb)} MB`)
  }
  const { rebuilds, rebuildFailures, signals } = index.status()
  if (signals !== hashes) throw new Error(`${signals} rows instead of ${hashes}`)
  const figures = {
    lookups,
    rebuilds: rebuilds - goal.warmUp,
    rebuildFailures,
    slopeMbPerHour: round(medianSlope(samples), 2),
    rssFirstMb: round(samples[0]!.rssMb),
    rssLastMb: round(samples[samples.length - 1]!.rssMb),
    rssP50Mb: round(
      percentile(
        samples.map((sample) => sample.rssMb),
        0.5,
      ),
    ),
    rssMaxMb: round(
      percentile(
        samples.map((sample) => sample.rssMb),
        1,
      ),
    ),
    minutes: round((performance.now() - startMs) / 60_000, 1),
  }
  return {
    figures,
    table: { head: ['figure', 'value'], rows: Object.entries(figures) },
    notes: [
      `${hashes} hashes, ${changed} added and as many removed before each rebuild.`,
      `slopeMbPerHour: of the memory after each rebuild and a collection, after ${goal.warmUp} rebuilds to warm up (Theil and Sen).`,
      ...(quick ? ['Quick: too short for the slope to mean much.'] : []),
    ],
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

/** The median of the slopes between all pairs: single peaks, of which a collection now or later makes many, do not count. */
function medianSlope(samples: readonly Sample[]): number {
  const slopes: number[] = []
  for (const [at, a] of samples.entries()) {
    for (const b of samples.slice(at + 1)) slopes.push((b.rssMb - a.rssMb) / (b.hours - a.hours))
  }
  return percentile(slopes, 0.5)
}
