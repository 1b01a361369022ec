// What goes out and what comes back: addresses, headers, bodies, refusals.
import { ApiError, ConnectionError } from './errors.ts'
import type { Problem } from './errors.ts'
import type { Call } from './request.ts'
import type { Upload } from './blobwatch-types.ts'

/** More than any answer has that is not a stream. */
const answerBytesMax = 16 * 1024 * 1024
const refusalBytesMax = 64 * 1024

/** Throws TypeError on anything but http and https, on a query, a fragment, a name or a password. */
export function parseBase(text: string): string {
  const url = new URL(text)
  const isPlain = url.search === '' && url.hash === '' && url.username === '' && url.password === ''
  if (!['http:', 'https:'].includes(url.protocol) || !isPlain)
    throw new TypeError('baseUrl is an http or https address without a query, a name or a password')
  return url.href.replace(/\/+$/, '')
}

export function urlOf(base: string, call: Call): string {
  const query = new URLSearchParams()
  for (const [name, value] of Object.entries(call.query ?? {})) {
    if (value !== undefined) query.set(name, String(value))
  }
  return `${base}${call.path}${query.size > 0 ? `?${query.toString()}` : ''}`
}

export function initOf(call: Call, key: string | undefined, signal: AbortSignal): RequestInit {
  const headers = new Headers({ accept: call.accept ?? 'application/json' })
  if (key !== undefined) headers.set('authorization', `Bearer ${key}`)
  if (call.idempotencyKey !== undefined) headers.set('idempotency-key', call.idempotencyKey)
  // A key must not follow anybody elsewhere.
  const init: RequestInit = { method: call.method, headers, signal, redirect: 'error' }
  if (call.json !== undefined) {
    headers.set('content-type', 'application/json')
    init.body = JSON.stringify(call.json)
  } else if (call.body !== undefined) {
    // A form sets its own, with its boundary.
    if (call.body.type !== undefined) headers.set('content-type', call.body.type)
    init.body = call.body.make()
  }
  return init
}

export async function readText(
  call: Call,
  response: Response,
  bytesMax: number = answerBytesMax,
): Promise<string> {
  if (response.body === null) return ''
  const reader = response.body.getReader()
  const decoder = new TextDecoder()
  let text = ''
  let bytes = 0
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return text + decoder.decode()
    bytes += value.byteLength
    if (bytes > bytesMax) {
      await reader.cancel()
      throw new ConnectionError(call.name, 'bad-answer')
    }
    text += decoder.decode(value, { stream: true })
  }
}

export function parseJson(call: Named, text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // The parser's message quotes the text; what was answered stays out of errors.
    throw new ConnectionError(call.name, 'bad-answer')
  }
}

type Named = { name: string }

export function objectIn({ name }: Named, answer: unknown): Record<string, unknown> {
  if (typeof answer !== 'object' || answer === null || Array.isArray(answer))
    throw new ConnectionError(name, 'bad-answer')
  return answer as Record<string, unknown>
}

/** `count`: of what was asked. With fewer or more, nobody knows which answer belongs to which question. */
export function listIn<T>(call: Named, list: unknown, count?: number): T[] {
  if (!Array.isArray(list) || (count !== undefined && list.length !== count))
    throw new ConnectionError(call.name, 'bad-answer')
  return list as T[]
}

/** A page of a proxy where a stream was expected has no lines that mean anything, and would be asked for again for ever. */
export function checkType({ name, accept }: Call, { headers }: Response): void {
  const type = headers.get('content-type')?.split(';', 1)[0]?.trim().toLowerCase()
  if (type !== accept) throw new ConnectionError(name, 'bad-answer')
}

export async function refusalOf(call: Call, response: Response): Promise<ApiError> {
  const { status, headers } = response
  // Its status says enough where its words are too many.
  const text = await readText(call, response, refusalBytesMax).catch((error: unknown) => {
    if (error instanceof ConnectionError && error.fault === 'bad-answer') return ''
    throw error
  })
  return new ApiError(call.name, {
    status,
    problem: problemIn(text),
    retryAfterMs: parseRetryAfter(headers.get('retry-after')),
  })
}

/** A problem document; HMA's `{message}`; else nothing: a proxy answers in HTML. */
function problemIn(text: string): Partial<Problem> {
  let body: unknown
  try {
    body = JSON.parse(text)
  } catch {
    return {}
  }
  if (typeof body !== 'object' || body === null) return {}
  if ('message' in body && typeof body.message === 'string') return { detail: body.message }
  return 'title' in body || 'status' in body ? (body as Partial<Problem>) : {}
}

/** Seconds, or a date (RFC 9110 10.2.3). */
function parseRetryAfter(value: string | null): number | undefined {
  if (value === null || value.trim() === '') return undefined
  const seconds = Number(value)
  if (Number.isFinite(seconds)) return Math.max(0, seconds * 1000)
  const ms = Date.parse(value) - Date.now()
  return Number.isNaN(ms) ? undefined : Math.max(0, ms)
}

/** `field`: of the multipart form. The file's own name is not sent. */
export function formOf(field: string, file: Upload): FormData {
  const form = new FormData()
  form.set(field, file instanceof Blob ? file : new Blob([file]), 'upload')
  return form
}
