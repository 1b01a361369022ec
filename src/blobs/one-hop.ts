// One request and its answer, without following anything. What the answer means is decided here, where the facts are.
import type { Hex, HostReason } from '../domain/blob.ts'
import type { Clock } from '../domain/ports.ts'
import { faultOf } from './guarded-fetch.ts'
import type { Fetch } from './guarded-fetch.ts'
import type { FetchLimits } from './limits.ts'
import { readBody, TooSlowError } from './read-body.ts'
import type { InFlight } from './read-body.ts'
import { waitUntil } from './retry-after.ts'

/** `public` is who the host is to the world; `dialled` is where the bytes go: the same, but for the pair. */
export type Target = { public: URL; dialled: URL; fetch: Fetch; trusted: boolean }

export type HostAnswer =
  | { kind: 'ok'; bytes: Uint8Array; sha256: Hex; contentType?: string }
  /** The host answered 4xx; `error` and `message` are what XRPC says, when it says it, for comparing only. */
  | { kind: 'refused'; status: number; error?: string; message?: string }
  /** `toldToWait`: by the host itself, with a 429. */
  | { kind: 'deferred'; reason: HostReason; untilMs: number; toldToWait?: true }
  | { kind: 'unavailable'; reason: HostReason }

export type HopAnswer = HostAnswer | { kind: 'redirect'; to: URL }

export type HopRequest = {
  target: Target
  bytesMax: number
  accept: string
  signal: AbortSignal
  timeMs: number
  keepAlive: boolean
}

export function createHop(options: {
  clock: Clock
  limits: FetchLimits
  userAgent: string
}): (request: HopRequest) => Promise<HopAnswer> {
  const setting: Setting = { ...options, inFlight: { bytes: 0 } }

  return async (request) => {
    const stop = new AbortController()
    const stopNow = () => stop.abort(new StoppedError())
    const total = setTimeout(stopNow, request.timeMs)
    const header = setTimeout(stopNow, setting.limits.headerTimeMs)
    request.signal.addEventListener('abort', stopNow)
    if (request.signal.aborted) stopNow()
    try {
      const response = await dial(setting, request, stop.signal)
      clearTimeout(header)
      return await answerOf(setting, response, request, stop)
    } catch (error) {
      return failed(setting, error)
    } finally {
      clearTimeout(total)
      clearTimeout(header)
      request.signal.removeEventListener('abort', stopNow)
    }
  }
}

type Setting = { clock: Clock; limits: FetchLimits; userAgent: string; inFlight: InFlight }

function dial(
  { userAgent }: Setting,
  { target, accept, keepAlive }: HopRequest,
  signal: AbortSignal,
): Promise<Response> {
  const pending = target.fetch(target.dialled, {
    redirect: 'manual',
    // Only hosts that have earned it keep sockets open between requests: idle ones have no limit of their own.
    headers: {
      accept,
      'accept-encoding': 'identity',
      'user-agent': userAgent,
      ...(keepAlive ? {} : { connection: 'close' }),
    },
    credentials: 'omit',
    signal,
  })
  // The wrapped fetch passes our signal through Request objects that may be collected before they pass it on,
  // so the stop is also awaited here.
  return orStopped(pending, signal)
}

async function answerOf(
  setting: Setting,
  response: Response,
  { target, bytesMax }: HopRequest,
  stop: AbortController,
): Promise<HopAnswer> {
  const { status } = response
  if (status === 200) return await okAnswer(setting, response, bytesMax, stop)
  if (status >= 400 && status < 500 && status !== 429) {
    return await refusedAnswer(setting, response, stop)
  }
  discard(response)
  if (redirectStatuses.has(status)) return redirectAnswer(response, target.public)
  if (status === 429) {
    const untilMs = waitUntil(response.headers, setting.clock(), setting.limits)
    return { kind: 'deferred', reason: 'rate-limited', untilMs, toldToWait: true }
  }
  if (status >= 500) return deferred(setting, 'server-error')
  return { kind: 'unavailable', reason: 'bad-answer' }
}

async function okAnswer(
  setting: Setting,
  response: Response,
  bytesMax: number,
  stop: AbortController,
): Promise<HopAnswer> {
  // Without an encoding the declared length is the decoded length: refuse before reading 50 MB.
  const declared = Number(response.headers.get('content-length') ?? 0)
  if (declared > bytesMax && !response.headers.has('content-encoding')) {
    discard(response)
    return { kind: 'unavailable', reason: 'too-large' }
  }
  const read = await readBody({ ...setting, body: response.body, bytesMax, stop })
  switch (read.kind) {
    case 'read': {
      const contentType = mediaType(response.headers.get('content-type'))
      const { bytes, sha256 } = read
      return { kind: 'ok', bytes, sha256, ...(contentType === undefined ? {} : { contentType }) }
    }
    case 'too-large':
      return { kind: 'unavailable', reason: 'too-large' }
    case 'no-room':
      return deferred(setting, 'rate-limited')
    default:
      return read satisfies never
  }
}

async function refusedAnswer(
  setting: Setting,
  { status, body }: Response,
  stop: AbortController,
): Promise<HopAnswer> {
  const read = await readBody({ ...setting, body, bytesMax: setting.limits.errorBytesMax, stop })
  const said = read.kind === 'read' ? parseXrpcError(read.bytes) : {}
  return { kind: 'refused', status, ...said }
}

function failed(setting: Setting, error: unknown): HopAnswer {
  const isLate = error instanceof StoppedError || error instanceof TooSlowError
  if (isLate) return deferred(setting, 'timeout')
  const { kind, reason } = faultOf(error)
  return kind === 'deferred' ? deferred(setting, reason) : { kind: 'unavailable', reason }
}

function deferred({ clock, limits }: Setting, reason: HostReason): HopAnswer {
  return { kind: 'deferred', reason, untilMs: clock() + limits.retryAfterMs }
}

/** Our time ran out, or the caller's patience. */
class StoppedError extends Error {
  override name = 'StoppedError'
}

const redirectStatuses = new Set([301, 302, 303, 307, 308])

async function orStopped(pending: Promise<Response>, signal: AbortSignal): Promise<Response> {
  const stopped = Promise.withResolvers<never>()
  const reject = () => stopped.reject(signal.reason as Error)
  signal.addEventListener('abort', reject)
  if (signal.aborted) reject()
  try {
    return await Promise.race([pending, stopped.promise])
  } catch (error) {
    // An answer that comes after all is closed; an error that comes after all has nobody to tell.
    pending.then(discard, () => undefined)
    throw signal.aborted ? signal.reason : error
  } finally {
    signal.removeEventListener('abort', reject)
  }
}

/** Relative to the public address: a redirect must not learn or reach the address behind the pair. */
function redirectAnswer(response: Response, from: URL): HopAnswer {
  const location = response.headers.get('location')
  const to = location === null ? null : URL.parse(location, from.href)
  if (to === null) return { kind: 'unavailable', reason: 'bad-answer' }
  // Credentials that a redirect brings along are never sent.
  if (to.username !== '' || to.password !== '') {
    return { kind: 'unavailable', reason: 'forbidden-address' }
  }
  return { kind: 'redirect', to }
}

function discard(response: Response): void {
  // Cancelling closes the socket; that it was closed already is no news.
  response.body?.cancel().catch(() => undefined)
}

function parseXrpcError(bytes: Uint8Array): { error?: string; message?: string } {
  try {
    const said: unknown = JSON.parse(new TextDecoder().decode(bytes))
    if (typeof said !== 'object' || said === null) return {}
    const { error, message } = said as { error?: unknown; message?: unknown }
    return {
      ...(typeof error === 'string' ? { error } : {}),
      ...(typeof message === 'string' ? { message } : {}),
    }
  } catch {
    // Not JSON: the status alone has to do.
    return {}
  }
}

/** The bare media type in lower case; a header that is none is left out rather than passed on. */
function mediaType(header: string | null): string | undefined {
  const type = header?.split(';', 1)[0]?.trim().toLowerCase()
  return type !== undefined && /^[a-z0-9!#$&^_.+-]{1,60}\/[a-z0-9!#$&^_.+-]{1,60}$/.test(type)
    ? type
    : undefined
}
