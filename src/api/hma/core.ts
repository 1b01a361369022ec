// What is there whatever the roles: is it alive, which routes are there, what do they take.
import type { HmaRole } from '../../config-hma.ts'
import type { Parts } from '../../service.ts'
import { readiness } from './index-status.ts'
import { openApiOf } from './openapi.ts'
import type { HmaRoute } from './route.ts'

export function coreRoutes(given: {
  parts: Pick<Parts, 'bankBook' | 'clock'>
  roles: readonly HmaRole[]
  /** All routes that are there, these included. */
  routes: () => readonly HmaRoute[]
}): HmaRoute[] {
  const { parts, roles, routes } = given
  const text = (body: string, status: number) =>
    new Response(body, { status, headers: { 'content-type': 'text/html; charset=utf-8' } })
  return [
    {
      method: 'GET',
      rule: '/',
      about: 'Leads to /status',
      answer: (context) => context.redirect('/status', 302),
    },
    {
      method: 'GET',
      rule: '/status',
      about: 'Whether lookups can be answered',
      answer() {
        const state = roles.includes('matcher') ? readiness(parts) : 'I-AM-ALIVE'
        return text(state, state === 'I-AM-ALIVE' ? 200 : 503)
      },
    },
    {
      method: 'GET',
      rule: '/status/live',
      about: 'Whether the process answers',
      answer: () => text('I-AM-ALIVE', 200),
    },
    {
      method: 'GET',
      rule: '/site-map',
      about: 'List the routes',
      answer: (context) => context.json([...new Set(routes().map(({ rule }) => rule))].toSorted()),
    },
    {
      method: 'GET',
      rule: '/openapi/openapi.json',
      about: 'Describe the routes',
      answer: (context) => context.json(openApiOf(routes())),
    },
  ]
}
