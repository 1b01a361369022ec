// Idempotency-Key: a request that would do something twice is done once, however often it is sent.
//
// Promises: the same key and the same request get the first answer again, for a day; a key that is used for something else,
// or whose first request did not end, gets 409 and does nothing.
import { hash } from 'node:crypto'
import type { HonoRequest, MiddlewareHandler } from 'hono'
import { z } from '@hono/zod-openapi'
import type { Database } from '../db/client.ts'
import type { Clock } from '../domain/ports.ts'
import { problem } from '../http/problem.ts'
import { beginRequest, endRequest } from '../steps/requests.ts'
import type { ApiVariables } from './access.ts'

const pattern = /^[\u0021-\u007e]{8,128}$/

/** For the `request` of a route. */
export const onceHeaders = z.object({
  'idempotency-key': z.string().regex(pattern).openapi({
    description: 'A value of your own, 8 to 128 characters, new for each thing that is to be done.',
  }),
})

export function once({
  db,
  clock,
}: {
  db: Database
  clock: Clock
}): MiddlewareHandler<ApiVariables> {
  return async (context, next) => {
    const key = context.req.header('idempotency-key')
    if (key === undefined || !pattern.test(key))
      return problem(context, 422, {
        detail:
          'Idempotency-Key is missing or malformed: 8 to 128 printable characters without blanks, new for each thing that is to be done.',
        code: 'idempotency-key-needed',
      })
    const { principal } = context.get('access')
    const body = new Uint8Array(await context.req.arrayBuffer())
    const request = hash('sha256', Buffer.concat([Buffer.from(whatOf(context.req)), body]), 'hex')
    const begun = await beginRequest(db, { principal, key, request, nowMs: clock() })
    if (!begun.begun) return again(context, begun)
    await next()
    const { status } = context.res
    // What failed inside may have been done: nobody knows, and the next one is told so.
    if (status >= 500) return undefined
    const answer = await context.res.clone().text()
    await endRequest(db, { principal, key, status, answer })
    return undefined
  }
}

/** Besides the body. What it says in its address and in which type is part of what is asked. */
function whatOf(request: HonoRequest): string {
  const { pathname, search } = new URL(request.url)
  return `${request.method} ${pathname}${search} ${request.header('content-type') ?? ''}\n`
}

type Earlier = Awaited<ReturnType<typeof beginRequest>>

function again(context: Parameters<typeof problem>[0], earlier: Earlier): Response {
  if (!earlier.same)
    return problem(context, 409, {
      detail: 'This Idempotency-Key stands for another request. Send a new one for something new.',
      code: 'key-reused',
    })
  if (earlier.status === null)
    return problem(context, 409, {
      detail:
        'The first request with this key has not ended, or nobody knows how. Look whether it was done before you send it under a new one.',
      code: 'outcome-unknown',
    })
  const type = earlier.status < 400 ? 'application/json' : 'application/problem+json'
  return new Response(earlier.answer, {
    status: earlier.status,
    headers: { 'content-type': type, 'idempotent-replayed': 'true' },
  })
}
