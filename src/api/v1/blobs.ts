// What an AppView asks: what to do with a blob of an account, one or a thousand at a time.
//
// Promises: an answer says what to do and never what it matched (promise 9); one about an account that nobody knows looks
// like any other. GET is asked for every picture that is shown: it is declared for the document and checked by two patterns.
import { createRoute, z } from '@hono/zod-openapi'
import type { StateRow } from '../../cases/blob-states.ts'
import { blobStates } from '../../cases/blob-states.ts'
import type { BlobState, Pair } from '../../cases/blob-states.ts'
import { problem } from '../../http/problem.ts'
import { needs } from '../access.ts'
import type { BlobView } from '../blob-view.ts'
import { blobViewLimits } from '../blob-view.ts'
import { jsonBody } from './app.ts'
import type { ApiApp } from './app.ts'
import { digestOfCid, didPattern, cidPattern } from './blob-names.ts'
import { refusals } from './problem-schema.ts'

/** How long an answer may be shown without asking again. What may soon be otherwise is asked sooner. */
export const maxAgeSeconds: Record<BlobState, number> = {
  show: 60,
  hide: 60,
  unscannable: 60,
  blur: 15,
  unscanned: 5,
}

export const didSchema = z
  .string()
  .regex(didPattern, 'is no DID')
  .openapi({ example: 'did:plc:ewvi7nxzyoun6zhxrhs64oiz' })
export const cidSchema = z
  .string()
  .regex(cidPattern, 'is no CID')
  .openapi({ example: 'bafkreibme22gw2h7y2h7tg2fhqotaqjucnbc24deqo72b6mkl2egezxhvy' })

export const blobStateSchema = z
  .object({
    did: z.string(),
    cid: z.string(),
    state: z.enum(blobStates),
    reason: z.string().optional().openapi({
      description:
        'show: clear, released, observed. hide: taken-down, confirmed. blur: held, waiting, matched, labelled. unscanned: unknown, waiting, undecided. unscannable: why it cannot be scanned.',
    }),
    since: z.iso.datetime().optional(),
  })
  .openapi('BlobState')

const one = createRoute({
  method: 'get',
  path: '/blobs/{did}/{cid}',
  tags: ['AppView'],
  summary: 'What to do with this blob of this account',
  request: { params: z.object({ did: didSchema, cid: cidSchema }) },
  responses: {
    200: {
      description: 'May be kept as long as Cache-Control says.',
      content: { 'application/json': { schema: blobStateSchema } },
    },
    304: { description: 'As If-None-Match has it.' },
    ...refusals(422, 503),
  },
})

const many = createRoute({
  method: 'post',
  path: '/blobs',
  tags: ['AppView'],
  summary: `What to do with up to ${blobViewLimits.batchPairsMax} blobs, in the order that they are asked in`,
  middleware: [needs('blob:read'), jsonBody()] as const,
  request: {
    body: {
      required: true,
      content: {
        'application/json': {
          schema: z.object({
            blobs: z
              .array(z.object({ did: didSchema, cid: cidSchema }))
              .min(1)
              .max(blobViewLimits.batchPairsMax),
          }),
        },
      },
    },
  },
  responses: {
    200: {
      description: 'One answer a blob.',
      content: { 'application/json': { schema: z.object({ blobs: z.array(blobStateSchema) }) } },
    },
    ...refusals(400, 413, 422, 503),
  },
})

const notNamed = {
  detail: 'The address has to end in a DID and the CID of a blob: /blobs/did:plc:…/bafkrei….',
  code: 'invalid-fields',
}

export function addBlobs(app: ApiApp, { view }: { view: BlobView }): void {
  app.openAPIRegistry.registerPath(one)
  app.get('/blobs/:did/:cid', needs('blob:read'), async (context) => {
    const asked = context.req.param()
    const pair = pairOf(asked)
    if (pair === undefined) return problem(context, 422, notNamed)
    const row = await view.one(pair)
    const { headers, isKnown, body } = answerOf(asked, row, context.req.header('if-none-match'))
    return isKnown ? context.body(null, 304, headers) : context.json(body, 200, headers)
  })
  app.openapi(many, async (context) => {
    const { blobs } = context.req.valid('json')
    const pairs = blobs.map(pairOf)
    const wrong = pairs.indexOf(undefined)
    if (wrong >= 0)
      return problem(context, 422, {
        detail: `blobs.${wrong}.cid is no CID.`,
        code: 'invalid-fields',
        extra: { errors: [{ field: `blobs.${wrong}.cid`, message: 'is no CID' }] },
      }) as never
    const rows = await view.many(pairs as Pair[])
    context.header('cache-control', 'no-store')
    return context.json({ blobs: rows.map((row, i) => bodyOf(blobs[i]!, row)) }, 200)
  })
}

/** The same for both doors: this app and the direct one. */
export function answerOf(
  asked: { did: string; cid: string },
  row: StateRow,
  ifNoneMatch: string | undefined,
) {
  const etag = tagOf(row)
  const headers = { 'cache-control': `private, max-age=${maxAgeSeconds[row.state]}`, etag }
  return { headers, isKnown: isAmong(etag, ifNoneMatch), body: bodyOf(asked, row) }
}

/** RFC 9110, 13.1.2: a list, compared weakly, because proxies that pack an answer make its tag a weak one. */
function isAmong(etag: string, ifNoneMatch: string | undefined): boolean {
  if (ifNoneMatch === undefined) return false
  if (ifNoneMatch === etag) return true
  return ifNoneMatch.split(',').some((one) => one.trim().replace(/^W\//, '') === etag)
}

export function pairOf(asked: { did: string; cid: string }): Pair | undefined {
  if (!didPattern.test(asked.did)) return undefined
  const digest = digestOfCid(asked.cid)
  return digest === undefined ? undefined : { did: asked.did, digest }
}

function bodyOf(asked: { did: string; cid: string }, { state, reason, since }: StateRow) {
  return {
    did: asked.did,
    cid: asked.cid,
    state,
    reason,
    ...(since !== null && { since: since.toISOString() }),
  }
}

function tagOf({ state, reason, since }: StateRow): string {
  return `"${state}-${reason}-${since?.getTime().toString(36) ?? ''}"`
}
