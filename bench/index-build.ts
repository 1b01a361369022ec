// How long the PDQ index takes to be built from ten million rows that are in memory already, as a start would have them.
import { setTimeout as sleep } from 'node:timers/promises'
import type { SignalBatch } from '../src/domain/signal-batch.ts'
import { layOut } from '../src/matching/layout.ts'
import { appendRows, createBase, growTo } from '../src/matching/pdq-base.ts'
import { buildBase } from '../src/matching/pdq-build.ts'
import { createPdqIndex } from '../src/matching/pdq-index.ts'
import { generateBatches } from '../src/matching/pdq-model.ts'
import type { Bench, BenchOptions, BenchResult } from './bench.ts'
import { round } from './machine.ts'

const hashes = { full: 10_000_000, quick: 1_000_000 } as const
const loads = 3

export const bench: Bench = {
  about: 'seconds to build the PDQ index of 10 million hashes',
  run: measureBuild,
}

async function measureBuild({ quick, signal, tell }: BenchOptions): Promise<BenchResult> {
  const count = hashes[quick ? 'quick' : 'full']
  const batches = [...generateBatches(count, { seed: 1 })]
  tell(`${count} rows are in memory`)
  const seconds: number[] = []
  for (let n = 0; n < loads; n++) {
    signal.throwIfAborted()
    seconds.push(await loadSeconds(batches))
    // The memory before has been let go: the system gives the same pages again.
    await sleep(500)
  }
  const warm = Math.min(...Array.from({ length: loads }, () => warmSeconds(batches)))
  const figures = {
    hashes: count,
    [quick ? 'seconds1M' : 'seconds10M']: round(Math.min(...seconds), 2),
    firstTouchSeconds: round(seconds[0]!, 2),
    warmSeconds: round(warm, 2),
    threads: 1,
  }
  return {
    figures,
    table: { head: ['figure', 'value'], rows: Object.entries(figures) },
    notes: [
      `seconds: the best of ${loads} loads, in a worker thread that is started for it, each into memory never touched.`,
      'firstTouchSeconds: the first load, whose pages the host may have to find too; warmSeconds: pages touched before.',
      ...(quick ? ['Quick: 1 million hashes instead of 10.'] : []),
    ],
  }
}

async function loadSeconds(batches: readonly SignalBatch[]): Promise<number> {
  await using index = createPdqIndex()
  const startMs = performance.now()
  await index.load(each(batches))
  return (performance.now() - startMs) / 1000
}

async function* each(batches: readonly SignalBatch[]): AsyncGenerator<SignalBatch> {
  yield* batches
}

/** In this thread, with every page touched beforehand. */
function warmSeconds(batches: readonly SignalBatch[]): number {
  const rows = batches.reduce((sum, batch) => sum + batch.count, 0)
  const base = createBase()
  const { length } = base.bytes
  for (const batch of batches) appendRows(base, batch, false)
  growTo(base, layOut({ slots: rows, overflow: 0, liveIds: rows }).end)
  for (let at = length; at < base.bytes.length; at += 4096) Atomics.or(base.bytes, at, 0)
  const startMs = performance.now()
  buildBase(base)
  return (performance.now() - startMs) / 1000
}
