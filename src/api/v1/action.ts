// POST /action and /action/batch, GET /action/{action_id}: a program asks for an action.
//
// Promises: 202 means that the request is durable and in the ledger under its principal's name; nothing happens because
// of it but what our own scan of the content decides, within modes, caps and holds; `report_ncmec` opens a case and files
// nothing; the same id in other words is 409. A crash before the answer leaves the request or nothing: ask again.
import { createRoute, z } from '@hono/zod-openapi'
import { requestFile, stateOf } from '../../cases/requests.ts'
import type { RequestFile } from '../../cases/requests.ts'
import { blobCidOf } from '../../domain/cid.ts'
import { RetryableError, UsageError } from '../../domain/errors.ts'
import { wasTold } from '../../steps/api-matches.ts'
import { requestAction, requestDigest } from '../../steps/request-action.ts'
import type { ActionRequest, Requested } from '../../steps/request-action.ts'
import { needs } from '../access.ts'
import type { Access } from '../access.ts'
import type { ApiParts } from '../open-apis.ts'
import {
  acceptedSchema,
  actionIdSchema,
  actionLimits,
  actionSchema,
  batchItemSchema,
  stateSchema,
} from './action-schema.ts'
import type { ApiApp } from './app.ts'
import { jsonBody } from './app.ts'
import { contentOf } from './content-id.ts'
import { refusals } from './problem-schema.ts'
import { intakeStopped, refuse, refuseForNow } from './refuse.ts'

const actionRoute = createRoute({
  method: 'post',
  path: '/action',
  description: 'Ask for an action on a content.',
  middleware: [needs('act'), jsonBody(actionLimits.jsonBytesMax)],
  request: { body: { required: true, content: { 'application/json': { schema: actionSchema } } } },
  responses: {
    202: {
      description: 'Written down; /action/{action_id} tells how it ends.',
      content: { 'application/json': { schema: acceptedSchema } },
    },
    ...refusals(400, 409, 413, 422, 503),
  },
})

const batchRoute = createRoute({
  method: 'post',
  path: '/action/batch',
  description: 'Ask for up to 100 actions; each is its own request.',
  middleware: [needs('act'), jsonBody(actionLimits.batchBytesMax)],
  request: {
    body: {
      required: true,
      content: {
        'application/json': {
          schema: z.object({ actions: z.array(actionSchema).max(actionLimits.batchItemsMax) }),
        },
      },
    },
  },
  responses: {
    202: {
      description: 'What became of each, in order.',
      content: {
        'application/json': { schema: z.object({ results: z.array(batchItemSchema) }) },
      },
    },
    ...refusals(400, 413, 422, 503),
  },
})

const stateRoute = createRoute({
  method: 'get',
  path: '/action/{action_id}',
  description: 'How an action that this caller asked for stands. Kept for 30 days.',
  middleware: [needs('act')],
  request: { params: z.object({ action_id: actionIdSchema }) },
  responses: {
    200: {
      description: 'How it stands now.',
      content: { 'application/json': { schema: stateSchema } },
    },
    ...refusals(404, 422, 503),
  },
})

export function addActionRoutes(app: ApiApp, { parts, health, onError }: ApiParts): void {
  const { db } = parts
  const ask = createAsking(parts)

  app.openapi(actionRoute, async (context) => {
    if (!health.intakeAllowed()) return refuseForNow(context, intakeStopped)
    const request = toRequest(context.req.valid('json'))
    const asked = await ask(request, context.get('access'), context.req.raw.signal)
    switch (asked.kind) {
      case 'accepted':
        return context.json(asked.accepted, 202)
      case 'conflict':
        return refuse(context, 409, conflictSentence, 'conflict')
      case 'refused':
        return refuse(context, 422, asked.sentence, asked.code)
      case 'later':
        return refuseForNow(context, asked.sentence)
      default:
        return asked satisfies never
    }
  })

  app.openapi(batchRoute, async (context) => {
    if (!health.intakeAllowed()) return refuseForNow(context, intakeStopped)
    const access = context.get('access')
    const { raw } = context.req
    const signal = AbortSignal.any([raw.signal, AbortSignal.timeout(actionLimits.batchMs)])
    const results: z.infer<typeof batchItemSchema>[] = []
    for (const request of context.req.valid('json').actions.map(toRequest)) {
      const asked: Asked = signal.aborted
        ? { kind: 'later', sentence: 'The time of this batch was over. Send this one again.' }
        : await ask(request, access, signal).catch((error: unknown): Asked => {
            // One of many: those before it are done and have to be told.
            if (!(error instanceof RetryableError)) onError(error, context.get('requestId'))
            return { kind: 'later', sentence: 'Not now. Send this one again in a moment.' }
          })
      results.push(batchItem(request.actionId, asked))
    }
    return context.json({ results }, 202)
  })

  app.openapi(stateRoute, async (context) => {
    const { action_id } = context.req.valid('param')
    const file = await requestFile(db, context.get('access').principal, action_id)
    if (file === undefined)
      return refuse(
        context,
        404,
        'This caller asked for nothing under that id in the last 30 days.',
        'no-such-action',
      )
    return context.json(toState(action_id, file), 200)
  })
}

type Asked =
  | { kind: 'accepted'; accepted: z.infer<typeof acceptedSchema> }
  | { kind: 'conflict' }
  | { kind: 'refused'; sentence: string; code: string }
  | { kind: 'later'; sentence: string }

const noMatchSentence =
  'match_info.match_id is no match that this server told this caller of in the last 30 days: ask /match again.'
const conflictSentence = 'This action_id was used before for something else. Take a new one.'

function createAsking(parts: ApiParts['parts']) {
  const { db, clock, others, bells, telemetry } = parts
  return async (request: ActionRequest, access: Access, signal: AbortSignal): Promise<Asked> => {
    const { principal } = access
    // What was asked before is answered although its content may be gone by now.
    const before = await requestFile(db, principal, request.actionId)
    if (before !== undefined) {
      if (before.body !== requestDigest(request)) return { kind: 'conflict' }
      return accepted(request.actionId, { kind: before.kind, case_file: before.caseNumber })
    }
    const { matchId } = request
    if (request.kind !== 'review' && matchId === undefined)
      return {
        kind: 'refused',
        sentence:
          'match_info.match_id is missing: ask /match first and hand one of its matches on.',
        code: 'no-match',
      }
    if (matchId !== undefined && !(await wasTold(db, { principal, matchId, nowMs: clock() })))
      return { kind: 'refused', sentence: noMatchSentence, code: 'no-match' }
    const content = await contentOf(request.contentId, parts, signal)
    if (content.kind !== 'places') return content
    const { places } = content
    try {
      const input = { request, places, others, principal, nowMs: clock() }
      const requested = await requestAction(db, input)
      if (requested.result === 'conflict') return { kind: 'conflict' }
      if (requested.result === 'requested') {
        bells.scan.ring()
        bells.ledger.ring()
        const seen = { sightings: places.length, undecodable: 0, gaps: 0 }
        telemetry.batchTaken({ source: 'api', ...seen })
      }
      return accepted(request.actionId, requested)
    } catch (error) {
      if (!(error instanceof UsageError)) throw error
      return { kind: 'refused', sentence: error.message, code: 'no-match' }
    }
  }
}

const results = {
  takedown: 'requested',
  review: 'review-opened',
  report_ncmec: 'draft-opened',
} as const

function accepted(
  actionId: string,
  { kind, case_file }: Pick<Requested, 'kind' | 'case_file'>,
): Asked {
  return {
    kind: 'accepted',
    accepted: {
      action_id: actionId,
      action_type: kind,
      status: 'accepted',
      result: results[kind],
      ...(case_file !== null && { case: case_file }),
      status_url: `/api/v1/action/${encodeURIComponent(actionId)}`,
    },
  }
}

function toRequest(body: z.infer<typeof actionSchema>): ActionRequest {
  return {
    actionId: body.action_id,
    kind: body.action_type,
    contentId: body.content_id,
    matchId: body.match_info?.match_id,
  }
}

function batchItem(actionId: string, asked: Asked): z.infer<typeof batchItemSchema> {
  switch (asked.kind) {
    case 'accepted':
      return { action_id: actionId, status: 'accepted', accepted: asked.accepted }
    case 'conflict':
      return { action_id: actionId, status: 'refused', detail: conflictSentence, code: 'conflict' }
    case 'refused':
      return {
        action_id: actionId,
        status: 'refused',
        detail: asked.sentence,
        code: asked.code,
      }
    case 'later':
      return { action_id: actionId, status: 'not-now', detail: asked.sentence }
    default:
      return asked satisfies never
  }
}

function toState(actionId: string, file: RequestFile): z.infer<typeof stateSchema> {
  return {
    action_id: actionId,
    action_type: file.kind,
    requested_at: file.at.toISOString(),
    status: stateOf(file),
    ...(file.caseNumber !== null && { case: file.caseNumber }),
    places: file.places.map(({ cid, record, state, reason, caseNumber }) => ({
      cid: blobCidOf(cid),
      ...(record !== null && { record }),
      status: state,
      ...(reason !== null && { reason }),
      ...(caseNumber !== null && { case: caseNumber }),
    })),
  }
}
