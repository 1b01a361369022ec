// Which blobs an AppView has to look at anew, as pages and as a stream of server-sent events.
import { createRoute, z } from '@hono/zod-openapi'
import type { HttpBindings } from '@hono/node-server'
import { blobStates } from '../../cases/blob-states.ts'
import { problem } from '../../http/problem.ts'
import { may, needs } from '../access.ts'
import { changeBody, changeFeedLimits } from '../change-feed.ts'
import type { ChangeFeed } from '../change-feed.ts'
import type { ApiApp } from './app.ts'
import { bigNumber, limitUpTo } from './declare.ts'
import { refusals } from './problem-schema.ts'
import { refuseForNow } from './refuse.ts'

const changeSchema = z
  .object({
    seq: z.int(),
    did: z.string().optional().openapi({
      description: 'Absent: every account that has no change of its own.',
    }),
    cid: z.string(),
    state: z.enum(blobStates),
    reason: z.string().optional(),
    since: z.iso.datetime().optional(),
  })
  .openapi('BlobChange')

const route = createRoute({
  method: 'get',
  path: '/blobs/changes',
  tags: ['AppView'],
  summary: 'Changes after a number, in order: a page, or with Accept: text/event-stream a stream',
  description:
    'Each carries the state of now. Without `after` (or Last-Event-ID) it begins at now. 410 with the code `outdated`: what came after that number is not kept any more; ask for your blobs in batches and begin anew.',
  middleware: [needs('blob:read')] as const,
  request: {
    query: z.object({
      after: bigNumber.optional(),
      limit: limitUpTo(changeFeedLimits.pageMax).default(500),
    }),
  },
  responses: {
    200: {
      description: '`next` is the `after` of the next page. The stream has one `change` an event.',
      content: {
        'application/json': {
          schema: z.object({ changes: z.array(changeSchema), next: z.int(), more: z.boolean() }),
        },
        'text/event-stream': { schema: z.string() },
      },
    },
    ...refusals(410, 422, 503),
  },
})

const outdated = {
  detail:
    'What came after that number is not kept any more. Ask without after, keep next, ask for your blobs in batches, and follow the changes from there.',
  code: 'outdated',
}

export function addBlobChanges(app: ApiApp, { feed }: { feed: ChangeFeed }): void {
  app.openapi(route, async (context) => {
    const { limit, ...query } = context.req.valid('query')
    context.header('cache-control', 'no-store')
    if (!(context.req.header('accept') ?? '').includes('text/event-stream')) {
      const page = await feed.page({ after: query.after, limit })
      if (page.kind === 'outdated') return problem(context, 410, outdated)
      const { through: next, more } = page
      return context.json({ changes: page.changes.map(changeBody), next, more }, 200)
    }
    const after = lastEventId(context.req.header('last-event-id')) ?? query.after
    const bindings = context.env as HttpBindings
    const stream = await feed.stream({
      after,
      caller: context.get('access').principal,
      mayGoOn: async () => {
        const access = await context.get('accessNow')()
        return access !== undefined && may(access, 'blob:read')
      },
      onDropped: () => bindings.outgoing.destroy(),
    })
    if (stream === 'outdated') return problem(context, 410, outdated)
    if (stream === 'too-many')
      return refuseForNow(context, 'Too many streams are open. Close one, or come back later.')
    context.header('content-type', 'text/event-stream')
    return context.body(stream, 200)
  })
}

/** A client that comes back says how far it came; anything else is none of ours. */
function lastEventId(header: string | undefined): number | undefined {
  return header !== undefined && /^\d{1,15}$/.test(header) ? Number(header) : undefined
}
