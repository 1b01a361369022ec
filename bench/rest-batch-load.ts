// The load generator of `rest` for batches of lookups: hashes at random, one in a thousand of them known.
import { createHash, randomBytes } from 'node:crypto'
import { helperInput, tellReady } from './helper-process.ts'
import { percentile } from './percentile.ts'

export type BatchLoad = {
  url: string
  key: string
  signals: number
  /** A list in JSON, or a stream of lines. */
  form: 'json' | 'ndjson'
  seconds: number
  warmUpSeconds: number
}
export type BatchMeasured = { lookupsPerSecond: number; p99Ms: number }

const perBatch = 2_000
const batches = 50
const callers = 2
const knownEvery = 1_000

if (import.meta.main) tellReady(await measure(helperInput() as BatchLoad))

async function measure(load: BatchLoad): Promise<BatchMeasured> {
  // Made before the clock runs: what a caller of ours does anyway is not ours to pay.
  const bodies = Array.from({ length: batches }, (_, n) => bodyOf(n, load))
  const ms: number[] = []
  let answered = 0
  const fromMs = performance.now() + load.warmUpSeconds * 1000
  const untilMs = fromMs + load.seconds * 1000
  const call = async (caller: number) => {
    for (let n = caller; performance.now() < untilMs; n += callers) {
      const startMs = performance.now()
      const matched = await ask(bodies[n % batches]!, load)
      if (matched !== perBatch / knownEvery) throw new Error(`${matched} of a batch matched`)
      if (startMs < fromMs) continue
      ms.push(performance.now() - startMs)
      answered += perBatch
    }
  }
  const startedMs = fromMs
  await Promise.all(Array.from({ length: callers }, (_, caller) => call(caller)))
  const seconds = (performance.now() - startedMs) / 1000
  return { lookupsPerSecond: answered / seconds, p99Ms: percentile(ms, 0.99) }
}

async function ask(body: string, { url, key, form }: BatchLoad): Promise<number> {
  const answer = await fetch(`${url}/api/v1/match/batch`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${key}`,
      'content-type': form === 'json' ? 'application/json' : 'application/x-ndjson',
    },
    body,
  })
  const text = await answer.text()
  if (answer.status !== 200) throw new Error(`${answer.status} ${text.slice(0, 200)}`)
  return text.split('"match_count":1').length - 1
}

function bodyOf(batch: number, { signals, form }: BatchLoad): string {
  const hashes = Array.from({ length: perBatch }, (_, n) => ({
    hash_type: 'pdq',
    hash_value:
      n % knownEvery === 0
        ? knownHash(1 + ((batch * 7919 + n * 104_729) % signals))
        : randomBytes(32).toString('hex'),
  }))
  if (form === 'json') return JSON.stringify({ hashes })
  return hashes.map((one) => `${JSON.stringify(one)}\n`).join('')
}

/** As fillSignals makes the n-th. */
function knownHash(n: number): string {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(n)
  return createHash('sha256').update(bytes).digest('hex')
}
