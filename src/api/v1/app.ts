// /api/v1: for programs that know Blobwatch, with keys. What a route takes and gives is declared where it is made, and
// /api/v1/openapi.json is computed from that.
//
// Promises: no answer without a key and its scope; every refusal is a problem document (RFC 9457) that says what is wrong
// and never repeats what was sent; bodies, rates and waiting have limits.
import { OpenAPIHono } from '@hono/zod-openapi'
import type { Context } from 'hono'
import { HTTPException } from 'hono/http-exception'
import { boundedTo } from '../../http/limit-body.ts'
import { RetryableError, UsageError } from '../../domain/errors.ts'
import { isCutOff, problem, tooLarge } from '../../http/problem.ts'
import type { OnAppError } from '../../http/problem.ts'
import { version } from '../../version.ts'
import { keyAccess } from '../access.ts'
import type { ApiVariables } from '../access.ts'
import type { KeyRing } from '../key-ring.ts'
import type { RateLimits } from '../rate-limits.ts'
import { Refusal, sentence } from './declare.ts'
import { finished } from './openapi.ts'
import { fieldErrors, fieldSentence } from './field-errors.ts'
import { knownRoutes } from './known-routes.ts'
import type { KnownRoute } from './known-routes.ts'

export type ApiApp = OpenAPIHono<ApiVariables>

const prefix = '/api/v1'
const about = {
  openapi: '3.1.0',
  info: {
    title: 'Blobwatch',
    version,
    description:
      'Known harmful media on the AT Protocol. Routes of the integration guide have its names (`hash_value`), the others `camelCase`. Times are UTC, ISO 8601. Every refusal is a Problem.',
  },
  servers: [{ url: prefix }],
  security: [{ key: [] }],
}

export const apiLimits = { jsonBytesMax: 1024 * 1024, retryAfterSeconds: 5 } as const

/** Each of `routes` adds its own to the app. */
export function createV1App(options: {
  keys: KeyRing
  limits: RateLimits
  routes: ((app: ApiApp) => void)[]
  onError: OnAppError
}): ApiApp {
  const app: ApiApp = new OpenAPIHono<ApiVariables>({
    defaultHook: (result, context) => {
      if (result.success) return undefined
      const errors = fieldErrors(result.error.issues, result.target)
      return problem(context, 422, {
        detail: fieldSentence(errors),
        code: 'invalid-fields',
        extra: { errors },
      })
    },
  })
  app.onError((error, context) => {
    if (error instanceof HTTPException && error.status < 500)
      return problem(context, error.status, unread(error, routesAt(pathOf(context))))
    if (error instanceof Refusal)
      return problem(context, error.status, { detail: sentence(error.message), code: error.code })
    if (error instanceof UsageError)
      return problem(context, 422, { detail: sentence(error.message), code: 'refused' })
    if (error instanceof RetryableError) {
      const answer = problem(context, 503, {
        detail:
          'The database or the index does not answer now. Ask again after Retry-After seconds.',
        code: 'not-now',
      })
      answer.headers.set('retry-after', String(apiLimits.retryAfterSeconds))
      return answer
    }
    if (isCutOff(error)) return problem(context, 400)
    options.onError(error, context.get('requestId'))
    return problem(context, 500, {
      detail: 'Our fault. The log has it under requestId. Whether it was done is not known.',
      code: 'internal',
    })
  })
  app.use(keyAccess(options))
  app.openAPIRegistry.registerComponent('securitySchemes', 'key', {
    type: 'http',
    scheme: 'bearer',
    description: 'A key as `blobwatch key create` prints it.',
  })
  for (const add of options.routes) add(app)
  addDocument(app)
  const routesAt = knownRoutes(app)
  // Mounted apps have no answer of their own for what is not there.
  app.all('*', (context) => nothingHere(context, routesAt(pathOf(context))))
  return app
}

/** Computed once: a hundred answers of it are a second of computing, and any key may ask. */
function addDocument(app: ApiApp): void {
  let text: string | undefined
  app.get('/openapi.json', (context) => {
    text ??= JSON.stringify(finished(app.getOpenAPI31Document(about)))
    return context.body(text, 200, { 'content-type': 'application/json' })
  })
}

const pathOf = (context: Context) => context.req.path.slice(prefix.length)

function nothingHere(context: Context, there: readonly KnownRoute[]): Response {
  if (there.length === 0) {
    const isWebhook = pathOf(context) === '/webhook/atproto-callback'
    return problem(context, 404, {
      detail: isWebhook
        ? 'Webhooks come to the public listener (BLOBWATCH_PUBLIC_PORT), signed and without a key.'
        : `There is nothing at this address: ${prefix}/openapi.json has all there is.`,
      code: 'no-such-route',
    })
  }
  const methods = there.map(({ method }) => method).join(', ')
  const answer = problem(context, 405, {
    detail: `This address takes ${methods}.`,
    code: 'wrong-method',
  })
  answer.headers.set('allow', methods)
  return answer
}

/** What a body is that could not be taken. */
function unread(
  { status, message }: HTTPException,
  there: readonly KnownRoute[],
): { detail?: string; code?: string } {
  if (status === 400) return { detail: 'The body is not JSON.', code: 'not-json' }
  if (status === 413) return tooLarge
  if (status !== 415) return message === '' ? {} : { detail: sentence(message) }
  const types = [...new Set(there.flatMap(({ bodyTypes }) => bodyTypes))]
  return {
    detail: `Say what the body is: content-type: ${types.join(' or ')}.`,
    code: 'wrong-type',
  }
}

/** For routes that take JSON: an upload has its own limit. */
export const jsonBody = (maxSize: number = apiLimits.jsonBytesMax) => boundedTo(maxSize)
