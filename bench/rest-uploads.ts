// Pictures uploaded to the API, hashed and looked up: how many a second, beside what decoding and hashing alone give with as
// many children on the same machine.
import { Decoder } from '../src/signals/decoder.ts'
import { createHasher } from '../src/signals/hasher.ts'
import { freePort } from './free-port.ts'
import { startHelper } from './helper-process.ts'
import { round } from './machine.ts'
import { phonePicture } from './pictures.ts'
import { keyFor, restSettings } from './rest-service.ts'
import type { UploadLoad, UploadMeasured } from './rest-uploads-load.ts'
import { scratchDatabase } from './scratch.ts'
import { startService } from './service-process.ts'

const seconds = { full: 15, quick: 5 } as const
const warmUpSeconds = 2
const decoderSlots = 2
/** One more than there are children waits at each of them. */
export const uploaders = 2 * decoderSlots
export const uploadPictures = 8

export type UploadFigures = {
  uploadsPerSecond: number
  uploadP99Ms: number
  decodesPerSecond: number
}

export async function measureUploads(quick: boolean, signal: AbortSignal): Promise<UploadFigures> {
  const forSeconds = seconds[quick ? 'quick' : 'full']
  const decodesPerSecond = await decodeAlone(forSeconds, signal)
  await using scratch = await scratchDatabase({ waitsForDisk: false })
  const key = await keyFor(scratch.app, ['scan', 'match:read'])
  const port = await freePort()
  const settings = { ...restSettings(scratch.dataDir), BLOBWATCH_DECODER_SLOTS: `${decoderSlots}` }
  await using service = await startService(settings, port)
  const load: UploadLoad = {
    url: `http://127.0.0.1:${port}`,
    key,
    ...{ uploaders, pictures: uploadPictures, seconds: forSeconds, warmUpSeconds },
  }
  await using helper = await startHelper<UploadMeasured>('rest-uploads-load.ts', load)
  if (service.pid === 0) throw new Error('the service is gone')
  return {
    uploadsPerSecond: round(helper.ready.perSecond, 1),
    uploadP99Ms: round(helper.ready.p99Ms, 1),
    decodesPerSecond: round(decodesPerSecond, 1),
  }
}

/** The same pictures through the sandboxed children and nothing else. */
async function decodeAlone(forSeconds: number, signal: AbortSignal): Promise<number> {
  const pictures = await Promise.all(
    Array.from({ length: uploadPictures }, (_, n) => phonePicture(n)),
  )
  await using decoder = await Decoder.start({ slots: decoderSlots, warn: () => undefined })
  const hasher = createHasher({ decoder })
  let hashed = 0
  const fromMs = performance.now() + warmUpSeconds * 1000
  const untilMs = fromMs + forSeconds * 1000
  const work = async (worker: number) => {
    for (let n = worker; performance.now() < untilMs; n += uploaders) {
      await hasher.hash({ bytes: pictures[n % pictures.length]!, signal })
      if (performance.now() >= fromMs) hashed += 1
    }
  }
  await Promise.all(Array.from({ length: uploaders }, (_, worker) => work(worker)))
  return hashed / ((performance.now() - fromMs) / 1000)
}
