// The load generator of `rest` for uploads: each picture is hashed by one request, and its PDQ looked up by the next.
import { helperInput, tellReady } from './helper-process.ts'
import { percentile } from './percentile.ts'
import { phonePicture } from './pictures.ts'

export type UploadLoad = {
  url: string
  key: string
  uploaders: number
  pictures: number
  seconds: number
  warmUpSeconds: number
}
export type UploadMeasured = { perSecond: number; p99Ms: number }

if (import.meta.main) tellReady(await measure(helperInput() as UploadLoad))

async function measure(load: UploadLoad): Promise<UploadMeasured> {
  const pictures = await Promise.all(
    Array.from({ length: load.pictures }, async (_, n) => new Blob([await copyOf(n)])),
  )
  const ms: number[] = []
  const fromMs = performance.now() + load.warmUpSeconds * 1000
  const untilMs = fromMs + load.seconds * 1000
  const upload = async (uploader: number) => {
    for (let n = uploader; performance.now() < untilMs; n += load.uploaders) {
      const startMs = performance.now()
      await hashAndMatch(pictures[n % pictures.length]!, load)
      if (startMs >= fromMs) ms.push(performance.now() - startMs)
    }
  }
  await Promise.all(Array.from({ length: load.uploaders }, (_, uploader) => upload(uploader)))
  return {
    perSecond: ms.length / ((performance.now() - fromMs) / 1000),
    p99Ms: percentile(ms, 0.99),
  }
}

async function copyOf(n: number): Promise<Uint8Array<ArrayBuffer>> {
  return Uint8Array.from(await phonePicture(n))
}

async function hashAndMatch(picture: Blob, { url, key }: UploadLoad): Promise<void> {
  const authorization = `Bearer ${key}`
  const form = new FormData()
  form.set('file', picture, 'picture.jpg')
  const ask = async (path: string, init: RequestInit): Promise<unknown> => {
    const headers = new Headers(init.headers)
    headers.set('authorization', authorization)
    const answer = await fetch(`${url}${path}`, { method: 'POST', ...init, headers })
    if (answer.status !== 200) throw new Error(`${path}: ${answer.status} ${await answer.text()}`)
    return answer.json()
  }
  const { hashes } = (await ask('/api/v1/hash', { body: form })) as {
    hashes: { algorithm: string; hash_value: string }[]
  }
  const [first] = hashes
  if (first?.algorithm !== 'pdq') throw new Error('a picture has a PDQ hash')
  await ask('/api/v1/match', {
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ hash_type: first.algorithm, hash_value: first.hash_value }),
  })
}
