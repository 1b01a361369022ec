// A route of HMA's interface, as the app, /site-map and /openapi/openapi.json know it.
import type { Context } from 'hono'
import type { HmaRole } from '../../config-hma.ts'
import type { KeyScope } from '../../cases/api-keys.ts'
import type { ApiVariables } from '../access.ts'

export type HmaContext = Context<ApiVariables>

export type HmaRoute = {
  method: 'GET' | 'POST' | 'PUT' | 'DELETE'
  /** As Flask writes it: `/c/bank/<bank_name>`, `<int:content_id>`. */
  rule: string
  /** Switched off with its role. undefined: always there. */
  role?: HmaRole
  /** undefined: no key is asked for. */
  needs?: KeyScope
  /** One sentence, for OpenAPI. */
  about: string
  query?: readonly string[]
  body?: 'json' | 'form'
  answer(context: HmaContext): Response | Promise<Response>
}

/** Hono's spelling: what Flask's `int` does not take is no route either. */
export function patternOf(rule: string): string {
  return rule.replaceAll(/<int:(\w+)>/g, ':$1{[0-9]+}').replaceAll(/<(\w+)>/g, ':$1')
}
