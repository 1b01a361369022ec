// POST /api/v1/match/batch over ten million hashes: how many lookups a second a caller of ours gets, the service in a
// process of its own with keys and limits on.
import { fillSignals } from './fill-signals.ts'
import { freePort } from './free-port.ts'
import { startHelper } from './helper-process.ts'
import { round } from './machine.ts'
import type { BatchLoad, BatchMeasured } from './rest-batch-load.ts'
import { keyFor, restSettings } from './rest-service.ts'
import { scratchDatabase } from './scratch.ts'
import { startService } from './service-process.ts'

const sizes = {
  full: { signals: 10_000_000, seconds: 15, warmUpSeconds: 5 },
  quick: { signals: 1_000_000, seconds: 5, warmUpSeconds: 3 },
} as const

export type BatchFigures = {
  batchLookupsPerSecond: number
  batchP99Ms: number
  streamLookupsPerSecond: number
  batchSignals: number
}

export async function measureBatches(
  quick: boolean,
  tell: (text: string) => void,
): Promise<BatchFigures> {
  const { signals, ...times } = sizes[quick ? 'quick' : 'full']
  await using scratch = await scratchDatabase({ waitsForDisk: false })
  tell(`making ${signals} contents with a PDQ hash each`)
  await fillSignals(scratch.owner, signals)
  const key = await keyFor(scratch.app, ['match:read', 'match:distance'])
  const port = await freePort()
  await using service = await startService(restSettings(scratch.dataDir), port)
  tell(`the service is ready (${service.pid})`)
  const load: Omit<BatchLoad, 'form'> = { url: `http://127.0.0.1:${port}`, key, signals, ...times }
  const ask = async (form: BatchLoad['form']) => {
    await using helper = await startHelper<BatchMeasured>('rest-batch-load.ts', { ...load, form })
    return helper.ready
  }
  const batch = await ask('json')
  const stream = await ask('ndjson')
  return {
    batchLookupsPerSecond: round(batch.lookupsPerSecond),
    batchP99Ms: round(batch.p99Ms, 1),
    streamLookupsPerSecond: round(stream.lookupsPerSecond),
    batchSignals: signals,
  }
}
