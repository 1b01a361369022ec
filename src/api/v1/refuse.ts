// Refusals of typed routes. What a problem document looks like is declared once (problem-schema.ts).
import type { Context } from 'hono'
import { problem } from '../../http/problem.ts'
import { apiLimits } from './app.ts'

/** `never`, because a route's type names the shape of each of its answers and a problem document is built elsewhere. */
export function refuse(
  context: Context,
  status: 400 | 404 | 408 | 409 | 413 | 415 | 422 | 501,
  detail: string,
  code: string,
): never {
  return problem(context, status, { detail, code }) as never
}

export function refuseForNow(context: Context, detail: string, seconds?: number): never {
  const answer = problem(context, 503, { detail, code: 'not-now' })
  answer.headers.set('retry-after', String(seconds ?? apiLimits.retryAfterSeconds))
  return answer as never
}

/** Of what comes in while the disk is low. */
export const intakeStopped =
  'Intake is stopped until there is more room on the disk. Send it again after Retry-After seconds.'
