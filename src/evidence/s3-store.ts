// Evidence in a bucket: four plain requests (PUT, GET, HEAD, DELETE) of the S3 REST API, signed with AWS Signature
// Version 4 over the content's hash, path style.
//
// Promises: the key never leaves for another host (no redirect is followed); an answer is read to a limit and never
// quoted; a bucket that is not there is not taken for an object that is not there. A crash leaves nothing or an object.
import { createHash } from 'node:crypto'
import { AwsV4Signer } from 'aws4fetch'
import { PermanentError, RetryableError } from '../domain/errors.ts'
import type { EvidenceStore } from '../domain/ports.ts'
import { evidenceLimits } from './limits.ts'
import { checkObjectName } from './object-name.ts'

export type S3Options = {
  url: string
  bucket: string
  region: string
  keyId: string
  secret: string
  objectBytesMax?: number
  timeMs?: number
}

type Method = 'PUT' | 'GET' | 'HEAD' | 'DELETE'
type Asked = { method: Method; name: string; body?: Uint8Array; signal: AbortSignal }

export function createS3Store(options: S3Options): EvidenceStore {
  const bytesMax = options.objectBytesMax ?? evidenceLimits.objectBytesMax
  const ask = asker(options)
  return {
    kind: 's3',
    async put(name, bytes, signal) {
      checkObjectName(name)
      if (bytes.length > bytesMax) throw new PermanentError('larger than an evidence file may be')
      await ask({ method: 'PUT', name, body: bytes, signal }, async (answer) => {
        if (!answer.ok) throw await refusal(answer)
        await answer.body?.cancel()
      })
    },
    get: (name, signal) =>
      ask({ method: 'GET', name, signal }, async (answer) => {
        if (answer.ok) return readToLimit(answer, bytesMax)
        if (answer.status === 404 && (await isMissingKey(answer))) return undefined
        throw await refusal(answer)
      }),
    has: (name, signal) =>
      ask({ method: 'HEAD', name, signal }, async (answer) => {
        if (answer.status === 404) return undefined
        if (!answer.ok) throw await refusal(answer)
        const length = Number(answer.headers.get('content-length') ?? Number.NaN)
        if (!Number.isSafeInteger(length))
          throw new PermanentError('S3 does not tell an object’s size')
        return length
      }),
    remove: (name, signal) =>
      ask({ method: 'DELETE', name, signal }, async (answer) => {
        if (!answer.ok && !(answer.status === 404 && (await isMissingKey(answer))))
          throw await refusal(answer)
        // In a versioned bucket a DELETE hides the object and keeps its bytes.
        const hides = answer.headers.get('x-amz-delete-marker') === 'true'
        if (answer.ok) await answer.body?.cancel()
        return { versionsKept: hides }
      }),
  }
}

function asker(options: S3Options) {
  const timeMs = options.timeMs ?? evidenceLimits.s3TimeMs
  return async <T>(asked: Asked, read: (answer: Response) => Promise<T>): Promise<T> => {
    const { method, name, body } = asked
    const url = `${options.url}/${options.bucket}/${checkObjectName(name)}.age`
    const signal = AbortSignal.any([asked.signal, AbortSignal.timeout(timeMs)])
    const signed = await new AwsV4Signer({
      method,
      url,
      headers: {
        // Signed, so that what arrives is what was sent; aws4fetch would leave the body out.
        'x-amz-content-sha256': createHash('sha256')
          .update(body ?? '')
          .digest('hex'),
        ...(body !== undefined && { 'content-type': 'application/octet-stream' }),
      },
      accessKeyId: options.keyId,
      secretAccessKey: options.secret,
      region: options.region,
      service: 's3',
    }).sign()
    try {
      const answer = await fetch(signed.url, {
        method,
        headers: signed.headers,
        redirect: 'manual',
        signal,
        ...(body !== undefined && { body: Uint8Array.from(body) }),
      })
      return await read(answer)
    } catch (error) {
      if (error instanceof PermanentError || error instanceof RetryableError) throw error
      // The cause may name an address; its kind says enough.
      const why = signal.aborted ? 'no answer in time' : 'no connection'
      throw new RetryableError(`S3: ${why}`)
    }
  }
}

async function refusal(answer: Response): Promise<Error> {
  const { status } = answer
  const code = await errorCode(answer)
  const told = `S3 answers ${status}${code === undefined ? '' : ` (${code})`}`
  const isForNow =
    status >= 500 || status === 429 || status === 408 || code === 'RequestTimeTooSkewed'
  return isForNow ? new RetryableError(told) : new PermanentError(told)
}

/** A missing bucket is also a 404, and says so. */
async function isMissingKey(answer: Response): Promise<boolean> {
  return (await errorCode(answer.clone())) === 'NoSuchKey'
}

/** One of S3's own words: `NoSuchKey`, `AccessDenied`. Anything else in the answer is left where it is. */
async function errorCode(answer: Response): Promise<string | undefined> {
  try {
    const text = Buffer.from(await readToLimit(answer, evidenceLimits.s3ErrorBytesMax)).toString()
    return /<Code>([A-Za-z]{1,64})<\/Code>/.exec(text)?.[1]
  } catch {
    // Too long or cut off: the status has to do.
    return undefined
  }
}

async function readToLimit(answer: Response, bytesMax: number): Promise<Uint8Array> {
  const parts: Uint8Array[] = []
  let length = 0
  if (answer.body === null) return Buffer.alloc(0)
  const reader = answer.body.getReader()
  for (;;) {
    const { done, value } = (await reader.read()) as { done: boolean; value?: Uint8Array }
    if (done || value === undefined) break
    length += value.length
    if (length > bytesMax) {
      await reader.cancel()
      throw new PermanentError('S3 sends more than an evidence file may have')
    }
    parts.push(value)
  }
  return Buffer.concat(parts, length)
}
