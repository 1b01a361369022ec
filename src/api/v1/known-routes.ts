// What is at a path, for whoever came to the wrong one: read from what the routes declare.
import type { OpenAPIHono } from '@hono/zod-openapi'
import type { ApiVariables } from '../access.ts'

export type KnownRoute = { method: string; bodyTypes: string[] }

/** Of each path that is declared: its methods, and the types of body that they take. */
export function knownRoutes(app: OpenAPIHono<ApiVariables>): (path: string) => KnownRoute[] {
  const routes = app.openAPIRegistry.definitions.flatMap((definition) => {
    if (definition.type !== 'route') return []
    const { path, method, request } = definition.route
    const bodyTypes = Object.keys(request?.body?.content ?? {})
    return [{ segments: path.split('/'), method: method.toUpperCase(), bodyTypes }]
  })
  return (path) => {
    const asked = path.split('/')
    const fits = routes.filter(
      ({ segments }) =>
        segments.length === asked.length &&
        segments.every((segment, n) => segment.startsWith('{') || segment === asked[n]),
    )
    return fits.map(({ method, bodyTypes }) => ({ method, bodyTypes }))
  }
}
