// Lookups through the API as a stream of lines, against ten million hashes: what a caller gets a second, with HTTP, parsing
// and answers in it. What matches nothing writes nothing, so no database is needed.
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { createAnswering } from '../src/api/v1/match-answer.ts'
import type { Caller } from '../src/api/v1/match-answer.ts'
import { answerLines } from '../src/api/v1/match-stream.ts'
import { listen } from '../src/http/listener.ts'
import { createBankIndex } from '../src/matching/bank-index.ts'
import { generateBatches } from '../src/matching/pdq-model.ts'
import type { SignalBatch } from '../src/domain/signal-batch.ts'
import type { Database } from '../src/db/client.ts'
import type { Bench, BenchOptions, BenchResult } from './bench.ts'
import { round } from './machine.ts'

const hashes = { full: 10_000_000, quick: 1_000_000 } as const
const lines = { full: 400_000, quick: 100_000 } as const

export const bench: Bench = {
  about: 'lookups a second of a PDQ hash through /api/v1/match/batch as a stream, among 10 million',
  run: measureApi,
}

const noDatabase = new Proxy({} as Database, {
  get: () => {
    throw new TypeError('nothing may match here')
  },
})

async function measureApi({ quick, signal, tell }: BenchOptions): Promise<BenchResult> {
  const size = quick ? 'quick' : 'full'
  await using index = createBankIndex({ clock: Date.now, layout: { kind: 'memory' } })
  const loaded = {
    generation: 1,
    disabled: new Map<number, number>(),
    distanceMax: new Map([[1, { pdq: 31, clip: 62 }]]),
  }
  await index.load(pages(hashes[size]), loaded)
  tell(`loaded ${hashes[size]} hashes`)
  const answering = createAnswering({
    db: noDatabase,
    clock: Date.now,
    bankBook: { matcher: index },
  })
  const errors: unknown[] = []
  await using listener = await listen({
    ...{ host: '127.0.0.1', port: 0, setting: 'none', streams: ['/'] },
    hono: {
      fetch: (request) =>
        answerLines(request, {
          ...{ answering, caller, onEnd: () => undefined },
          onError: (error) => errors.push(error),
        }),
    },
  })
  const rssBefore = process.memoryUsage().rss
  const processorBefore = process.cpuUsage()
  const client = new Worker(new URL('api-match-client.ts', import.meta.url), {
    workerData: { url: listener.url, lines: lines[size] },
  })
  const [told] = (await once(client, 'message', { signal })) as [{ answers: number; ms: number }]
  const processor = process.cpuUsage(processorBefore)
  await client.terminate()
  if (errors.length > 0 || told.answers !== lines[size])
    throw new Error(`${told.answers} answers, ${errors.length} errors`, { cause: errors[0] })
  const figures = {
    hashes: hashes[size],
    linesPerSecond: round((told.answers / told.ms) * 1000),
    processorUsPerLine: round((processor.user + processor.system) / told.answers, 1),
    rssGrewMb: round((process.memoryUsage().rss - rssBefore) / 1e6),
  }
  return {
    figures,
    table: { head: ['figure', 'value'], rows: Object.entries(figures) },
    notes: [
      'One stream of strangers; the client is a thread of this process, and its processor time is in processorUsPerLine.',
      ...(quick ? ['Quick: 1 million hashes instead of 10.'] : []),
    ],
  }
}

/** The index takes them as a database would give them: one after the other. */
async function* pages(count: number): AsyncGenerator<SignalBatch> {
  yield* generateBatches(count, { seed: 1 })
}

const caller: Caller = {
  banks: new Map(),
  only: undefined,
  threshold: 0.9,
  showsDistance: false,
  showsRestricted: false,
  access: { principal: 1, name: 'bench', scopes: new Set(['match:read']) },
  told: 10,
}
