// How HMA says no: a status with `{"message": …}`, and pydantic's bare array of errors with 422.
import type { ContentfulStatusCode } from 'hono/utils/http-status'

/** Thrown by whatever reads a request; the app answers with it. */
export class HmaRefusal extends Error {
  override name = 'HmaRefusal'
  readonly status: ContentfulStatusCode
  readonly body: object
  readonly headers: Record<string, string>

  constructor(status: ContentfulStatusCode, body: object, headers: Record<string, string> = {}) {
    super(`refused with ${status}`)
    this.status = status
    this.body = body
    this.headers = headers
  }
}

export function refuse(status: ContentfulStatusCode, message: string): never {
  throw new HmaRefusal(status, { message })
}

export function refuseForNow(message: string): never {
  throw new HmaRefusal(503, { message }, { 'retry-after': String(retryAfterSeconds) })
}

export const retryAfterSeconds = 2

/** One entry of what pydantic answers. Without `input`: nothing that was sent comes back. */
export type FieldError = { type: string; loc: string[]; msg: string }

export function refuseFields(errors: FieldError[]): never {
  const url = (type: string) => `https://errors.pydantic.dev/2.11/v/${type}`
  throw new HmaRefusal(
    422,
    errors.map((error) => ({ ...error, input: null, url: url(error.type) })),
  )
}

/** A name that was sent, in a sentence: bounded. */
export function quoted(text: string): string {
  return `'${text.slice(0, quotedCharsMax)}'`
}

const quotedCharsMax = 100

/** What Werkzeug answers where no route is. */
export function htmlPage(status: 404 | 405, headers: Record<string, string> = {}): Response {
  const { title, sentence } = pages[status]
  const body = `<!doctype html>\n<html lang=en>\n<title>${status} ${title}</title>\n<h1>${title}</h1>\n<p>${sentence}</p>\n`
  return new Response(body, {
    status,
    headers: { 'content-type': 'text/html; charset=utf-8', ...headers },
  })
}

const pages = {
  404: {
    title: 'Not Found',
    sentence:
      'The requested URL was not found on the server. If you entered the URL manually please check your spelling and try again.',
  },
  405: {
    title: 'Method Not Allowed',
    sentence: 'The method is not allowed for the requested URL.',
  },
} as const
