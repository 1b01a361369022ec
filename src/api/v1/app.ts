// /api/v1: for programs that know Blobwatch, with keys. What a route takes and gives is declared where it is made, and
// /api/v1/openapi.json is computed from that.
//
// Promises: no answer without a key and its scope; every refusal is a problem document (RFC 9457) that says what is wrong
// and never repeats what was sent; bodies, rates and waiting have limits.
import { OpenAPIHono } from '@hono/zod-openapi'
import { HTTPException } from 'hono/http-exception'
import { limitBody } from '../../http/limit-body.ts'
import { RetryableError, UsageError } from '../../domain/errors.ts'
import { isCutOff, problem } from '../../http/problem.ts'
import type { OnAppError } from '../../http/problem.ts'
import { version } from '../../version.ts'
import { keyAccess } from '../access.ts'
import type { ApiVariables } from '../access.ts'
import type { KeyRing } from '../key-ring.ts'
import type { RateLimits } from '../rate-limits.ts'
import { Refusal } from './declare.ts'

export type ApiApp = OpenAPIHono<ApiVariables>

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
      const errors = result.error.issues.map(({ path, message }) => ({
        field: path.join('.'),
        message,
      }))
      return problem(context, 422, {
        detail: 'Some fields are not as they have to be.',
        code: 'invalid-fields',
        extra: { errors },
      })
    },
  })
  app.onError((error, context) => {
    if (error instanceof HTTPException && error.status < 500)
      return problem(context, error.status, { detail: error.message })
    if (error instanceof Refusal)
      return problem(context, error.status, { detail: error.message, code: error.code })
    if (error instanceof UsageError)
      return problem(context, 422, { detail: error.message, code: 'refused' })
    if (error instanceof RetryableError) {
      const answer = problem(context, 503, { detail: 'Not now. Ask again in a moment.' })
      answer.headers.set('retry-after', String(apiLimits.retryAfterSeconds))
      return answer
    }
    if (isCutOff(error)) return problem(context, 400)
    options.onError(error, context.get('requestId'))
    return problem(context, 500)
  })
  app.notFound((context) => problem(context, 404))
  app.use(keyAccess(options))
  app.openAPIRegistry.registerComponent('securitySchemes', 'key', {
    type: 'http',
    scheme: 'bearer',
    description: 'A key as `blobwatch key create` prints it.',
  })
  for (const add of options.routes) add(app)
  addDocument(app)
  return app
}

/** Computed once: a hundred answers of it are a second of computing, and any key may ask. */
function addDocument(app: ApiApp): void {
  let text: string | undefined
  app.get('/openapi.json', (context) => {
    text ??= JSON.stringify(
      app.getOpenAPI31Document({
        openapi: '3.1.0',
        info: {
          title: 'Blobwatch',
          version,
          description: 'Known harmful media on the AT Protocol.',
        },
        servers: [{ url: '/api/v1' }],
        security: [{ key: [] }],
      }),
    )
    return context.body(text, 200, { 'content-type': 'application/json' })
  })
}

/** For routes that take JSON: an upload has its own limit. */
export const jsonBody = (maxSize: number = apiLimits.jsonBytesMax) =>
  limitBody({
    maxSize,
    onError: (context) =>
      problem(context, 413, { detail: `The body is larger than ${maxSize} bytes.` }),
  })
