// For the operator's own machines: is the process alive, can it work, how is it doing.
import { Hono } from 'hono'
import { boundedTo } from './limit-body.ts'
import { addBasics } from './problem.ts'
import type { App, AppVariables, OnAppError } from './problem.ts'
import type { Readiness } from './readiness.ts'

export const privateBodyBytesMax = 1024 * 1024

/** An app may ask for variables that it sets itself. */
// oxlint-disable-next-line no-explicit-any
export type MountedApp = Hono<any>

export function createPrivateApp(options: {
  version: string
  readiness: () => Promise<Readiness>
  /** The page that Prometheus reads. */
  metrics: () => Promise<{ contentType: string; body: string }>
  /** Of every route, mounted ones included. */
  bodyBytesMax?: number
  /** Paths of mounted apps that count and bound their body themselves, after they know who sends it. */
  ownBodies?: readonly string[]
  mounts?: { path: string; app: MountedApp }[]
  onError: OnAppError
}): App {
  const { version } = options
  const app = new Hono<AppVariables>()
  addBasics(app, options.onError)
  const bounded = boundedTo(options.bodyBytesMax ?? privateBodyBytesMax)
  const ownBodies = new Set(options.ownBodies)
  app.use((context, next) => (ownBodies.has(context.req.path) ? next() : bounded(context, next)))
  // Says only that the event loop turns: restarting us does not mend a database.
  app.get('/livez', (context) => context.json({ alive: true }))
  app.get('/readyz', async (context) => {
    const readiness = await options.readiness()
    context.header('cache-control', 'no-store')
    return context.json(readiness, readiness.ready ? 200 : 503)
  })
  app.get('/metrics', async (context) => {
    const { contentType, body } = await options.metrics()
    return context.body(body, 200, { 'content-type': contentType })
  })
  app.get('/xrpc/_health', (context) => context.json({ version }))
  for (const { path, app: mounted } of options.mounts ?? []) app.route(path, mounted)
  return app
}
