// What every app of ours does the same way: a request id, safe headers, errors as problem+json (RFC 9457).
// An answer never carries a stack, an error's message or anything else that a caller did not send.
import { randomUUID } from 'node:crypto'
import { STATUS_CODES } from 'node:http'
import type { Context, Hono } from 'hono'
import { HTTPException } from 'hono/http-exception'
import type { ContentfulStatusCode } from 'hono/utils/http-status'

export type AppVariables = { Variables: { requestId: string } }
export type App = Hono<AppVariables>

/** Hears of what went wrong inside, with the request id that the caller was given. */
export type OnAppError = (error: unknown, requestId: string) => void

/** On every answer, besides its x-request-id. A page that needs more (the console) sets its own policy. */
export const safeHeaders = {
  'x-content-type-options': 'nosniff',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
} as const

export const tooLarge = { detail: 'The body is too large. Send less at once.', code: 'too-large' }

/** Call before any route is added. */
export function addBasics(app: App, onError: OnAppError): void {
  app.use(async (context, next) => {
    // Our own id, never the caller's: it goes to the log.
    const requestId = randomUUID()
    context.set('requestId', requestId)
    await next()
    context.header('x-request-id', requestId)
    for (const [name, value] of Object.entries(safeHeaders))
      if (!context.res.headers.has(name)) context.header(name, value)
  })
  app.notFound((context) =>
    problem(context, 404, { detail: 'There is nothing at this address.', code: 'no-such-route' }),
  )
  app.onError((error, context) => {
    if (error instanceof HTTPException && error.status < 500)
      return problem(context, error.status, error.status === 413 ? tooLarge : {})
    if (isCutOff(error)) return problem(context, 400)
    onError(error, context.get('requestId'))
    return problem(context, 500)
  })
}

/** What Node says of a request whose body broke off: whoever sent it is gone, or sent what is no HTTP. */
export function isCutOff(error: unknown): boolean {
  return (
    error instanceof Error &&
    error.message === 'aborted' &&
    'code' in error &&
    error.code === 'ECONNRESET'
  )
}

/**
 * `detail`: a sentence about this request, never a value that was sent. `code`: a word for programs that stays the same
 * between versions. `extra`: more members.
 */
export function problem(
  context: Context,
  status: number,
  about: { detail?: string; code?: string; extra?: Record<string, unknown> } = {},
): Response {
  const requestId: unknown = context.get('requestId')
  const { detail, code, extra } = about
  const body = {
    type: 'about:blank',
    title: STATUS_CODES[status] ?? 'Error',
    status,
    ...(detail !== undefined && { detail }),
    ...(code !== undefined && { code }),
    requestId,
    ...extra,
  }
  return context.body(JSON.stringify(body), status as ContentfulStatusCode, {
    'content-type': 'application/problem+json',
  })
}
