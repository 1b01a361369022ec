// One request to an address that the operator configured: no redirect, little time, few bytes, no credentials of its own.
import { RetryableError } from '../../domain/errors.ts'

export type BoundedRequest = {
  url: string
  method: 'GET' | 'POST'
  headers?: Record<string, string>
  body?: string | Uint8Array<ArrayBuffer>
  bytesMax: number
  timeoutMs: number
  signal: AbortSignal
}

export type BoundedAnswer = { status: number; contentType: string; bytes: Uint8Array<ArrayBuffer> }

/** Throws RetryableError, without anything that the other side sent, when no whole answer came. A redirect is an answer of its own. */
export async function boundedRequest(request: BoundedRequest): Promise<BoundedAnswer> {
  const limit = AbortSignal.timeout(request.timeoutMs)
  try {
    const response = await fetch(request.url, {
      method: request.method,
      headers: request.headers ?? {},
      redirect: 'manual',
      signal: AbortSignal.any([request.signal, limit]),
      ...(request.body !== undefined && { body: request.body }),
    })
    const bytes = await readBytes(response, request.bytesMax)
    const contentType = response.headers.get('content-type') ?? ''
    return { status: response.status, contentType, bytes }
  } catch (cause) {
    if (cause instanceof RetryableError) throw cause
    if (request.signal.aborted) throw new RetryableError('stopped', { cause })
    const what = limit.aborted ? `no answer in ${request.timeoutMs} ms` : 'no answer'
    throw new RetryableError(what, { cause })
  }
}

async function readBytes(response: Response, bytesMax: number): Promise<Uint8Array<ArrayBuffer>> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of response.body ?? []) {
    bytes += chunk.byteLength
    // Leaving the loop cancels the rest of the answer.
    if (bytes > bytesMax) throw new RetryableError(`the answer is over ${bytesMax} bytes`)
    chunks.push(chunk)
  }
  return Uint8Array.from(Buffer.concat(chunks))
}
