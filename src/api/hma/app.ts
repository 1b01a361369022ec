// HMA's REST interface, unchanged for its clients: the paths, shapes, status codes and spellings of HMA 1.1.7, answered from
// our banks. What differs on purpose is in docs/hma-differences.md, and each difference is a test.
//
// Promises: a route answers only behind its door, with a key and its scope or from a named network; every refusal has HMA's
// shape, names no signal and is never a 500 for what was sent; a doubled slash is a slash, as some clients write it.
// A crash leaves what each step of ours leaves: nothing half done.
import { Hono } from 'hono'
import { getPath } from 'hono/utils/url'
import { RetryableError, UsageError } from '../../domain/errors.ts'
import { addBasics } from '../../http/problem.ts'
import type { App, OnAppError } from '../../http/problem.ts'
import type { Parts } from '../../service.ts'
import { may } from '../access.ts'
import type { ApiVariables } from '../access.ts'
import { HmaRefusal, htmlPage, refuse, refuseForNow } from './answers.ts'
import { bankRoutes } from './banks.ts'
import { createBodyReader } from './body.ts'
import { configurationRoutes } from './configuration.ts'
import { contentRoutes } from './contents.ts'
import { coreRoutes } from './core.ts'
import type { Door } from './doors.ts'
import { exchangeRoutes } from './exchanges.ts'
import { hashingRoutes } from './hashing.ts'
import { matchingRoutes } from './matching.ts'
import { createMedia } from './media.ts'
import { patternOf } from './route.ts'
import type { HmaContext, HmaRoute } from './route.ts'
import { createTypeSwitch } from './type-switch.ts'

export type HmaApp = Hono<ApiVariables>

/** The routes are shared: whoever comes by whichever door waits in one line. */
export function hmaRoutes(parts: Parts): readonly HmaRoute[] {
  const bodies = createBodyReader()
  const types = createTypeSwitch(parts)
  const media = createMedia({ parts, bodies, types })
  const { roles } = parts.config.hma
  const given = { parts, bodies, media, types, roles }
  const all: HmaRoute[] = [
    ...coreRoutes({ ...given, routes: () => all }),
    ...hashingRoutes(given),
    ...matchingRoutes(given),
    ...bankRoutes(given),
    ...contentRoutes(given),
    ...exchangeRoutes(given),
    ...configurationRoutes(given),
  ].filter(({ role }) => role === undefined || roles.includes(role))
  return all
}

export function createHmaApp(options: {
  routes: readonly HmaRoute[]
  door: Door
  onError: OnAppError
}): HmaApp {
  const { routes, door, onError } = options
  const app: HmaApp = new Hono<ApiVariables>({ getPath: pathOf })
  addBasics(app as unknown as App, onError)
  app.onError((error, context) => answerTo(error, context, onError))
  app.notFound(() => htmlPage(404))
  if (door.guard !== undefined) app.use(door.guard)
  for (const route of routes) {
    const pattern = patternOf(route.rule)
    if (route.needs !== undefined && door.access !== undefined)
      app.on(route.method, pattern, door.access)
    app.on(route.method, pattern, (context) => {
      checkRight(route, context, door)
      return route.answer(context)
    })
  }
  const methods = Map.groupBy(routes, ({ rule }) => rule)
  for (const [rule, own] of methods) {
    const allow = allowedBy(own)
    app.all(patternOf(rule), ({ req }) =>
      req.method === 'OPTIONS'
        ? new Response(null, { headers: { allow, 'content-type': 'text/html; charset=utf-8' } })
        : htmlPage(405, { allow }),
    )
  }
  return app
}

function allowedBy(routes: readonly HmaRoute[]): string {
  const methods = routes.map(({ method }) => method)
  return [...methods, ...(methods.includes('GET') ? ['HEAD'] : []), 'OPTIONS'].join(', ')
}

/** Some clients join an address that ends in a slash with a path that begins with one. */
export function pathOf(request: Request): string {
  return getPath(request).replaceAll(/\/{2,}/g, '/')
}

function checkRight({ needs }: HmaRoute, context: HmaContext, door: Door): void {
  if (needs === undefined || may(context.get('access'), needs)) return
  refuse(403, door.missing(needs))
}

function answerTo(error: unknown, context: HmaContext, onError: OnAppError): Response {
  const refusal = refusalOf(error, context)
  if (refusal !== undefined) {
    for (const [name, value] of Object.entries(refusal.headers)) context.header(name, value)
    return context.json(refusal.body, refusal.status)
  }
  onError(error, context.get('requestId'))
  const message =
    'The server encountered an internal error and was unable to complete your request. Either the server is overloaded or there is an error in the application.'
  return context.json({ message }, 500)
}

function refusalOf(error: unknown, context: HmaContext): HmaRefusal | undefined {
  if (error instanceof HmaRefusal) return error
  try {
    // Whoever left hears nothing of it.
    if (error instanceof RetryableError || context.req.raw.signal.aborted)
      refuseForNow('Not now. Ask again in a moment.')
    if (error instanceof UsageError) refuse(statusOf(error.message), error.message)
  } catch (refusal) {
    if (refusal instanceof HmaRefusal) return refusal
    throw refusal
  }
  return undefined
}

/** Clients tell by these two words. */
function statusOf(message: string): 400 | 403 | 404 {
  if (message.includes('already exists')) return 403
  return message.includes('not found') ? 404 : 400
}
