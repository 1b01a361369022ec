// POST /match and /match/batch: what the banks say about a hash.
//
// Promises: what is told is recorded first, in one statement a batch; what matches nothing writes nothing; one line in is
// one line out, in order; a caller who reads slowly is read slowly. Assumes the index in memory or file. A crash in
// between leaves matches recorded that nobody was told of.
import { createRoute, z } from '@hono/zod-openapi'
import type { Context } from 'hono'
import { UsageError } from '../../domain/errors.ts'
import type { OtherTypes } from '../../domain/other-type.ts'
import { may, needs } from '../access.ts'
import type { Access } from '../access.ts'
import type { ApiParts } from '../open-apis.ts'
import { createShares } from '../shares.ts'
import type { ApiApp } from './app.ts'
import { jsonBody } from './app.ts'
import { answerItems, createAnswering, parseItem } from './match-answer.ts'
import type { Caller } from './match-answer.ts'
import { frameFor, parseAsked } from './match-asked.ts'
import type { AskedWrong } from './match-asked.ts'
import {
  answerFields,
  choiceFields,
  hashFields,
  idSchema,
  itemSchema,
  matchLimits,
} from './match-schema.ts'
import { answerLines } from './match-stream.ts'
import { refusals } from './problem-schema.ts'
import { refuse, refuseForNow } from './refuse.ts'

/** A stream may last an hour, and a batch holds some 15 MB while it is answered. */
const streamShares = { atOnce: 8, perCaller: 4, waitMs: 5_000 }
const batchShares = { atOnce: 8, perCaller: 4, waitMs: 10_000 }

const matchRoute = (others: OtherTypes) =>
  createRoute({
    method: 'post',
    path: '/match',
    description: 'Compare one hash with the banks.',
    middleware: [needs('match:read'), jsonBody(matchLimits.jsonBytesMax)],
    request: {
      body: {
        required: true,
        content: {
          'application/json': { schema: z.object({ ...hashFields(others), ...choiceFields }) },
        },
      },
    },
    responses: {
      200: {
        description: 'What matches and counts.',
        content: { 'application/json': { schema: z.object(answerFields).openapi('Matches') } },
      },
      ...refusals(400, 413, 422, 503),
    },
  })

const streamChoices = z.object({
  threshold: z.coerce.number().min(0).max(1).optional(),
  banks: z
    .string()
    .max(4_096)
    .optional()
    .openapi({ description: 'Only these, with commas between.' }),
})

const batchRoute = (others: OtherTypes) =>
  createRoute({
    method: 'post',
    path: '/match/batch',
    description:
      'Compare many hashes. As JSON up to 20,000 at once; as a stream (application/x-ndjson) any number, one object a line, and one line back for each in its order. `threshold` and `banks` of a stream stand in the address.',
    middleware: [needs('match:read')],
    request: {
      query: streamChoices,
      body: {
        content: {
          'application/json': {
            schema: z.object({
              hashes: z
                .array(z.object({ ...hashFields(others), id: idSchema.optional() }))
                .max(matchLimits.batchItemsMax),
              ...choiceFields,
            }),
          },
          'application/x-ndjson': { schema: z.string() },
        },
      },
    },
    responses: {
      200: {
        description: 'One answer for each, in order.',
        content: {
          'application/json': {
            schema: z.object({ results: z.array(itemSchema) }).openapi('BatchAnswer'),
          },
          'application/x-ndjson': { schema: z.string() },
        },
      },
      ...refusals(400, 413, 415, 422, 503),
    },
  })

type Choice = { threshold?: number | undefined; banks?: readonly string[] | undefined }

export function addMatchRoutes(app: ApiApp, { parts, onError }: ApiParts): void {
  const { bankBook, others } = parts
  const answering = createAnswering(parts)
  const callerOf = (access: Access | undefined, asked: Choice): Caller | undefined => {
    if (access === undefined || !may(access, 'match:read')) return undefined
    try {
      const frame = frameFor(access, bankBook.banks(), asked)
      return { ...frame, access, told: matchLimits.toldInBatch }
    } catch (error) {
      if (error instanceof UsageError) return undefined
      throw error
    }
  }
  const streams = createShares(streamShares)
  const batches = createShares(batchShares)
  const bounded = jsonBody(matchLimits.batchBytesMax)

  app.openapi(matchRoute(others), async (context) => {
    const body = context.req.valid('json')
    const asked = parseAsked(body, others)
    if (typeof asked === 'string')
      return refuse(context, 422, wrongSentences[asked], `invalid-${asked}`)
    const access = context.get('access')
    const frame = frameFor(access, bankBook.banks(), body)
    const [answer] = await answering([asked], { ...frame, access, told: matchLimits.told })
    if (answer === undefined) throw new TypeError('one question has one answer')
    return context.json(answer, 200)
  })

  // Before the schemas: a stream is not read by them, and what is neither is not read at all.
  app.use('/match/batch', async (context, next) => {
    const type = typeOf(context)
    const isOurs = context.req.method === 'POST' && may(context.get('access'), 'match:read')
    if (!isOurs || type === 'application/x-ndjson') return next()
    if (type === 'application/json') {
      const { principal } = context.get('access')
      const give = await batches.take(principal, context.req.raw.signal)
      if (give === undefined)
        return refuseForNow(
          context,
          'Too many batches are open. Ask again after Retry-After seconds.',
        )
      try {
        return await bounded(context, next)
      } finally {
        give()
      }
    }
    return refuse(
      context,
      415,
      'Say what the body is: content-type: application/json or application/x-ndjson.',
      'wrong-type',
    )
  })
  app.openapi(batchRoute(others), async (context) => {
    const access = context.get('access')
    const told = matchLimits.toldInBatch
    if (typeOf(context) === 'application/x-ndjson') {
      const { threshold, banks } = context.req.valid('query')
      const asked = { threshold, banks: banks?.split(',') }
      frameFor(access, bankBook.banks(), asked)
      const { raw } = context.req
      const give = await streams.take(access.principal, raw.signal)
      if (give === undefined)
        return refuseForNow(
          context,
          'Too many streams are open. Ask again after Retry-After seconds.',
        )
      return answerLines(raw, {
        answering,
        others,
        callerNow: async () => callerOf(await context.get('accessNow')(), asked),
        onEnd: give,
        onError: (error) => onError(error, context.get('requestId')),
      }) as never
    }
    const body = context.req.valid('json')
    if (typeof body === 'string') throw new TypeError('a stream was answered above')
    const { hashes, ...choice } = body
    const frame = frameFor(access, bankBook.banks(), choice)
    const items = hashes.map((item) => parseItem(item, others))
    return context.json(
      { results: await answerItems(items, answering, { ...frame, access, told }) },
      200,
    )
  })
}

const wrongSentences: Record<AskedWrong, string> = {
  'hash-type': 'hash_type is neither one of ours nor a plug-in of this server.',
  'hash-value':
    'hash_value has to be hexadecimal and of the length of its hash_type (pdq and sha256 64 digits, sha1 40, md5 32, clip 128, of a plug-in as many as its manifest says).',
  quality: 'quality is a number from 0 to 100.',
}

function typeOf(context: Context): string {
  return (context.req.header('content-type') ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? ''
}
