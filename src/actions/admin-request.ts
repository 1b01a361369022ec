// One request to the admin interface of the one host we hold a password for. The password goes to the configured
// address only: no redirect is followed, no document is consulted (promise 10). Time and bytes are bounded.
import { NotNowError, RefusedError } from './refusal.ts'

export const adminRequestMs = 10_000
export const adminAnswerBytesMax = 64 * 1024
export const retryAfterMsMax = 60 * 60_000

export type AdminRequest = {
  method: string
  params?: Record<string, string>
  /** Present: a POST with this JSON. */
  body?: unknown
  signal: AbortSignal
}

export type AdminHost = {
  /** Where it is reached, for example `http://127.0.0.1:3000`. */
  address: string
  adminPassword: string
  timeoutMs?: number
}

/** The answer's JSON. Throws RefusedError or NotNowError, whose messages hold nothing that the host sent. */
export async function adminRequest(host: AdminHost, request: AdminRequest): Promise<unknown> {
  const limit = AbortSignal.timeout(host.timeoutMs ?? adminRequestMs)
  const signal = AbortSignal.any([request.signal, limit])
  try {
    const response = await fetch(requestUrl(host, request), {
      ...(request.body === undefined
        ? { method: 'GET' }
        : { method: 'POST', body: JSON.stringify(request.body) }),
      headers: {
        accept: 'application/json',
        ...(request.body === undefined ? {} : { 'content-type': 'application/json' }),
        authorization: `Basic ${Buffer.from(`admin:${host.adminPassword}`).toString('base64')}`,
      },
      redirect: 'error',
      signal,
    })
    const text = await readText(response)
    if (!response.ok) throw refusal(response, text, request.method)
    return parseAnswer(text)
  } catch (error) {
    if (error instanceof RefusedError || error instanceof NotNowError) throw error
    throw transportError(error, { stopped: request.signal.aborted, late: limit.aborted })
  }
}

function requestUrl(host: AdminHost, request: AdminRequest): URL {
  const url = new URL(`/xrpc/${request.method}`, host.address)
  for (const [name, value] of Object.entries(request.params ?? {}))
    url.searchParams.set(name, value)
  return url
}

async function readText(response: Response): Promise<string> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of response.body ?? []) {
    bytes += chunk.byteLength
    // Leaving the loop cancels the rest of the answer.
    if (bytes > adminAnswerBytesMax) {
      throw new RefusedError('answer-too-large', `the answer is over ${adminAnswerBytesMax} bytes`)
    }
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

function refusal(response: Response, text: string, method: string): Error {
  const { status } = response
  const said = `${method} was answered ${status}`
  if (status === 401 || status === 403) return new RefusedError('bad-credentials', said)
  if (status === 429) {
    const afterMs = retryAfterMs(response.headers.get('retry-after'), Date.now())
    return new NotNowError('rate-limited', said, afterMs === undefined ? {} : { afterMs })
  }
  if (status >= 500 || status === 408 || status === 425) {
    const afterMs = retryAfterMs(response.headers.get('retry-after'), Date.now())
    return new NotNowError('server-error', said, afterMs === undefined ? {} : { afterMs })
  }
  // The reference PDS names a missing subject or account in `error`, always with status 400.
  if (status === 400 && /^(NotFound|RepoNotFound|AccountNotFound)$/.test(errorName(text))) {
    return new RefusedError('not-found', said)
  }
  return new RefusedError('refused-by-host', said)
}

function errorName(text: string): string {
  try {
    const body: unknown = JSON.parse(text)
    const name = typeof body === 'object' && body !== null && 'error' in body ? body.error : ''
    return typeof name === 'string' ? name : ''
  } catch {
    // An error page instead of an XRPC error: it has no name.
    return ''
  }
}

/** RFC 9110, 10.2.3: seconds or a date. Undefined when absent or unreadable; never more than an hour. */
export function retryAfterMs(header: string | null, nowMs: number): number | undefined {
  if (header === null) return undefined
  const ms = /^\d{1,9}$/.test(header) ? Number(header) * 1000 : Date.parse(header) - nowMs
  return Number.isNaN(ms) ? undefined : Math.min(Math.max(ms, 0), retryAfterMsMax)
}

function parseAnswer(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    // A proxy's page in front of a host that restarts looks like this: not final.
    throw new NotNowError('bad-answer', 'the answer is not JSON', { cause })
  }
}

function transportError(
  error: unknown,
  { stopped, late }: { stopped: boolean; late: boolean },
): Error {
  const options = { cause: error }
  if (stopped) return new NotNowError('stopped', 'we stopped waiting', options)
  if (late) return new NotNowError('timeout', 'no answer in time', options)
  if (isRedirect(error)) return new RefusedError('redirected', 'the host redirects', options)
  return new NotNowError('network', 'the host cannot be reached', options)
}

/** undici tells a refused redirect only by the message of the cause; without it we would retry for nothing. */
function isRedirect(error: unknown): boolean {
  return (
    error instanceof Error && error.cause instanceof Error && /redirect/.test(error.cause.message)
  )
}
