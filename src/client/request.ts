// One call: the request, its tries, its limits, its answer or error.
//
// A call is tried again only where it is `repeatable`: it changes nothing (a GET, a question asked by POST) or carries a key
// that makes it happen once. Then 408, 429, 503, a lost connection and a timeout are tried again, after what Retry-After asks
// for or a wait that doubles. Every other answer ends it. An abort ends it at once, with the signal's own reason.
import { ApiError, ConnectionError } from './errors.ts'
import { checkType, initOf, parseBase, parseJson, readText, refusalOf, urlOf } from './exchange.ts'
import { startClock, unlessAborted, wait } from './waiting.ts'
import type { CallClock } from './waiting.ts'

export type ClientOptions = {
  /** Of the listener, without the API's path: `http://127.0.0.1:2596`. A path in it is kept (a proxy's). */
  baseUrl: string
  /** As `blobwatch key create` prints it. */
  key?: string | undefined
  /** Of one try, until the last byte of the answer; of a stream, from one piece to the next. 30 seconds unless given. */
  timeoutMs?: number | undefined
  /** Further tries of what may be asked again. 3 unless given. */
  retries?: number | undefined
  /** Instead of the global one. */
  fetch?: typeof globalThis.fetch | undefined
  /** How it waits between tries; for tests and for hosts with timers of their own. */
  sleep?: ((ms: number, signal: AbortSignal | undefined) => Promise<void>) | undefined
}

export type CallOptions = {
  /** Ends the call at once, with the signal's own reason. */
  signal?: AbortSignal | undefined
  /** Instead of the client's. */
  timeoutMs?: number | undefined
}

export type Call = {
  /** For messages: the path as it is documented, with nothing of this request in it. */
  name: string
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  path: string
  query?: Record<string, string | number | boolean | undefined>
  json?: unknown
  /** Sent as it is; made anew for each try. */
  body?: { type?: string; make: () => string | FormData }
  accept?: string
  /** Makes a change happen once, however often it is sent. */
  idempotencyKey?: string | undefined
  /** Statuses besides 2xx that are an answer. */
  accepts?: number[]
  repeatable: boolean
}

export type Requester = {
  json<T>(call: Call, options?: CallOptions): Promise<T>
  text(call: Call, options?: CallOptions): Promise<{ status: number; text: string }>
  /** The bytes as they come, of the type that `accept` names; leaving the loop closes the connection. */
  stream(call: Call, options?: CallOptions): AsyncGenerator<Uint8Array>
  /** The wait before another try of something that this object does not repeat by itself. */
  pause(attempt: number, signal: AbortSignal | undefined): Promise<void>
  retries: number
}

/** A service that asks for a longer wait is not waited for: the error says what it asked for. */
const retryAfterMsMax = 60_000
const firstPauseMs = 250
const pauseMsMax = 10_000
const timeoutMsDefault = 30_000
const retriesDefault = 3
const passing = new Set([408, 429, 503])

export function createRequester(options: ClientOptions): Requester {
  const { key, timeoutMs = timeoutMsDefault, retries = retriesDefault, sleep = wait } = options
  const base = parseBase(options.baseUrl)
  // Browsers refuse a fetch that is called as a method of something else.
  const ask: typeof globalThis.fetch = options.fetch ?? ((...words) => globalThis.fetch(...words))

  const once = async <T>(call: Call, given: CallOptions, take: (got: Response) => Promise<T>) => {
    const clock = startClock(given.timeoutMs ?? timeoutMs, given.signal)
    try {
      const response = await ask(urlOf(base, call), initOf(call, key, clock.signal))
      if (!response.ok && call.accepts?.includes(response.status) !== true)
        throw await refusalOf(call, response)
      return await take(response)
    } catch (error) {
      throw faultOf(call, error, clock, given.signal)
    } finally {
      clock.stop()
    }
  }
  const send = async <T>(call: Call, given: CallOptions, take: (got: Response) => Promise<T>) => {
    for (let attempt = 0; ; attempt++) {
      try {
        return await once(call, given, take)
      } catch (error) {
        const pauseMs = pauseAfter(error, attempt)
        if (!call.repeatable || attempt >= retries || pauseMs === undefined) throw error
        await sleep(pauseMs, given.signal)
        given.signal?.throwIfAborted()
      }
    }
  }
  return {
    retries,
    pause: (attempt, signal) => sleep(backoffMs(attempt), signal),
    async json<T>(call: Call, given: CallOptions = {}) {
      return await send(call, given, async (response) => {
        return parseJson(call, await readText(call, response)) as T
      })
    },
    text: (call, given = {}) =>
      send(call, given, async (response) => ({
        status: response.status,
        text: await readText(call, response),
      })),
    async *stream(call, given = {}) {
      const { body } = await send(call, given, async (response) => {
        checkType(call, response)
        return response
      })
      if (body === null) return
      const reader = body.getReader()
      const clock = startClock(given.timeoutMs ?? timeoutMs, given.signal)
      try {
        for (;;) {
          const { done, value } = await unlessAborted(reader.read(), clock.signal)
          if (done) return
          clock.restart()
          yield value
        }
      } catch (error) {
        throw faultOf(call, error, clock, given.signal)
      } finally {
        clock.stop()
        // It may be broken already: nothing more is wanted from it either way.
        await reader.cancel().catch(() => undefined)
      }
    },
  }
}

/** What the caller is told: their own abort, what the service said, or how the connection failed. */
function faultOf(
  call: Call,
  error: unknown,
  clock: CallClock,
  signal: AbortSignal | undefined,
): unknown {
  if (signal?.aborted === true) return signal.reason
  if (error instanceof ApiError || error instanceof ConnectionError) return error
  return new ConnectionError(call.name, clock.isOver() ? 'timeout' : 'network', { cause: error })
}

/** undefined: another try would not help, or not soon. */
function pauseAfter(error: unknown, attempt: number): number | undefined {
  if (error instanceof ConnectionError)
    return error.fault === 'bad-answer' ? undefined : backoffMs(attempt)
  if (!(error instanceof ApiError) || !passing.has(error.status)) return undefined
  const { retryAfterMs = backoffMs(attempt) } = error
  return retryAfterMs > retryAfterMsMax ? undefined : retryAfterMs
}

/** Doubles, and is spread over its second half, so that clients which failed together do not come back together. */
function backoffMs(attempt: number): number {
  const most = Math.min(pauseMsMax, firstPauseMs * 2 ** attempt)
  return most / 2 + (Math.random() * most) / 2
}
