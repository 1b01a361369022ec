// What does not move by itself: held, waiting and dead actions, contents that a flood set aside, cases without an action.
import { createRoute, z } from '@hono/zod-openapi'
import { casesWithoutAction, deadActions, heldContents, listHolds } from '../../cases/holds.ts'
import type { Database } from '../../db/client.ts'
import type { Clock } from '../../domain/ports.ts'
import { retryAction } from '../../steps/withdraw.ts'
import { may, needs, person } from '../access.ts'
import type { ApiApp } from './app.ts'
import { body, cursor, orRefuse, pageQuery, time } from './declare.ts'
import { refusals } from './problem-schema.ts'

/** A released action that nobody has taken up for this long is stuck. */
const stuckMs = 120_000
const cursorMax = 100_000

const holdsSchema = z.object({
  actions: z.array(
    z.object({
      state: z.string(),
      why: z.string(),
      kind: z.string(),
      case: z.int().nullable(),
      actions: z.int(),
      oldest: time,
    }),
  ),
  dead: z.array(
    z.object({
      action: z.int(),
      kind: z.string(),
      state: z.string(),
      why: z.string().nullable(),
      case: z.int().nullable(),
      endedAt: time.nullable(),
    }),
  ),
  contents: z
    .array(z.object({ bank: z.string(), content: z.int(), heldAt: time, actions: z.int() }))
    .optional()
    .openapi({ description: 'Set aside by a flood. With the scope bank:read.' }),
  casesWithoutAction: z.array(z.object({ case: z.int(), reason: z.string(), openedAt: time })),
  cursor,
})

const list = createRoute({
  method: 'get',
  path: '/holds',
  tags: ['Holds'],
  summary: 'What does not move by itself, in groups, and why',
  description: '`cursor` goes on with `actions`; the other lists are the first of their kind.',
  middleware: [needs('case:read')] as const,
  request: { query: pageQuery },
  responses: { 200: body('A page.', holdsSchema), ...refusals(422, 503) },
})

const retry = createRoute({
  method: 'post',
  path: '/holds/{action}/retry',
  tags: ['Holds'],
  summary: 'Try a dead or refused action again, after its cause is mended',
  middleware: [needs('case:decide'), person] as const,
  request: {
    params: z.object({ action: z.coerce.number().int().min(1).max(Number.MAX_SAFE_INTEGER) }),
  },
  responses: {
    200: body(
      'A new action, which leaves by itself.',
      z.object({ before: z.int(), action: z.int() }),
    ),
    ...refusals(409, 422, 503),
  },
})

export function addHolds(app: ApiApp, { db, clock }: { db: Database; clock: Clock }): void {
  app.openapi(list, async (context) => {
    const { limit, cursor: from = 0 } = context.req.valid('query')
    const offset = Math.min(from, cursorMax)
    const stuckBefore = new Date(clock() - stuckMs)
    const rows = await listHolds(db, { stuckBefore, limit: limit + 1, offset })
    const idle = await casesWithoutAction(db, limit)
    const mayName = may(context.get('access'), 'bank:read')
    const answer = {
      actions: rows.slice(0, limit).map(({ caseNumber, ...row }) => ({ ...row, case: caseNumber })),
      dead: await deadActions(db, limit),
      ...(mayName && { contents: await heldContents(db, limit) }),
      casesWithoutAction: idle.map(({ caseNumber, ...row }) => ({ case: caseNumber, ...row })),
      ...(rows.length > limit && { cursor: String(offset + limit) }),
    }
    return context.json(answer as never, 200)
  })
  app.openapi(retry, async (context) => {
    const { action: before } = context.req.valid('param')
    const { principal } = context.get('access')
    const retried = retryAction(db, { action: before, principal, nowMs: clock() })
    const action = await orRefuse(409, 'not-dead', retried)
    return context.json({ before, action }, 200)
  })
}
