// Looking pictures up in banks that lie in a file: the whole file is read and compared for each. Run by itself, this file
// is the process that holds the index and nothing else.
import { randomFillSync } from 'node:crypto'
import { createBankIndex } from '../src/matching/bank-index.ts'
import type { SignalBatch } from '../src/domain/signal-batch.ts'
import { turns } from '../src/domain/variant.ts'
import type { Bench, BenchOptions, BenchResult } from './bench.ts'
import { helperInput, startHelper, tellReady } from './helper-process.ts'
import { round } from './machine.ts'
import { percentile } from './percentile.ts'
import { scratchFolder } from './scratch.ts'

const hashes = { full: 10_000_000, quick: 2_000_000 } as const
const lookups = { full: 300, quick: 100 } as const
const warmUps = 20
const rowsPerBatch = 8192

export const bench: Bench = {
  about: 'milliseconds to look a picture up, in 8 turns, in hashes that lie in a file',
  run: measureLookups,
}

type Input = { dataDir: string; hashes: number; lookups: number }
type Measured = { ms: number[]; loadSeconds: number; rssMb: number; rssMostMb: number }

if (import.meta.main) tellReady(await hold(helperInput() as Input))

async function measureLookups({ quick, tell }: BenchOptions): Promise<BenchResult> {
  const size = quick ? 'quick' : 'full'
  await using folder = await scratchFolder()
  tell(`${hashes[size]} random hashes`)
  await using holder = await startHelper<Measured>('lookup-file.ts', {
    dataDir: folder.dir,
    hashes: hashes[size],
    lookups: lookups[size],
  })
  const { ms, loadSeconds, rssMb, rssMostMb } = holder.ready
  const figures = {
    hashes: hashes[size],
    p50Ms: round(percentile(ms, 0.5), 1),
    p99Ms: round(percentile(ms, 0.99), 1),
    loadSeconds,
    rssMb,
    rssMostMb,
    lookups: ms.length,
  }
  return {
    figures,
    table: { head: ['figure', 'value'], rows: Object.entries(figures) },
    notes: ['Warm: the file is in the page cache. rssMostMb includes loading.'],
  }
}

async function hold(input: Input): Promise<Measured> {
  await using index = createBankIndex({
    clock: Date.now,
    layout: { kind: 'file', dataDir: input.dataDir },
  })
  const startMs = performance.now()
  await index.load(randomRows(input.hashes), {
    generation: 1,
    disabled: new Map(),
    distanceMax: new Map([[1, { pdq: 31, clip: 62 }]]),
  })
  const loadSeconds = round((performance.now() - startMs) / 1000, 1)
  const ms: number[] = []
  for (let n = -warmUps; n < input.lookups; n++) {
    const [pdq, ...variants] = turns.map((variant) => ({
      variant,
      hash: randomHash(),
      quality: 100,
    }))
    const beginMs = performance.now()
    await index.match({ sha256: randomHash(), pdq: pdq!, variants })
    if (n >= 0) ms.push(performance.now() - beginMs)
  }
  return {
    ms,
    loadSeconds,
    rssMb: round(process.memoryUsage.rss() / 1e6),
    rssMostMb: round(process.resourceUsage().maxRSS / 1e3),
  }
}

function randomHash(): string {
  return randomFillSync(Buffer.alloc(32)).toString('hex')
}

async function* randomRows(count: number): AsyncGenerator<SignalBatch> {
  for (let first = 0; first < count; first += rowsPerBatch) {
    const rows = Math.min(rowsPerBatch, count - first)
    const signalIds = Uint32Array.from({ length: rows }, (_, i) => first + i + 1)
    yield {
      type: 'pdq',
      count: rows,
      values: randomFillSync(new Uint8Array(rows * 32)),
      signalIds,
      contentIds: signalIds,
      bankIds: new Uint32Array(rows).fill(1),
    }
  }
}
