// HMA's paths on a listener that serves more than them.
import { Hono } from 'hono'
import type { MountedApp } from '../../http/private-app.ts'
import { pathOf } from './app.ts'
import type { HmaApp } from './app.ts'

const paths = /^\/(h|m|c|openapi)\/|^\/(status|site-map)(\/|$)/

/** Everything under HMA's paths goes to `hma`, which knows them by their merged slashes; the rest passes. */
export function mountHma(hma: HmaApp): MountedApp {
  const app = new Hono()
  app.use(async (context, next) =>
    paths.test(pathOf(context.req.raw)) ? hma.fetch(context.req.raw, context.env) : next(),
  )
  return app
}
