// POST /hash and /hash/url: the signals of a picture, nothing recorded and nothing compared.
//
// Promises: `hashes[0]` is PDQ wherever there is one (clients of the integration guide take the first); bytes that are not
// looked into say why beside their digests; bytes, time, and how many are worked on at once have limits, and who waits
// too long hears 503. Assumes a decoder that outlives hostile pictures. A crash leaves nothing.
import { createRoute, z } from '@hono/zod-openapi'
import type { Context } from 'hono'
import { contentReasons, pdqQualityMin, pluginReasons } from '../../domain/blob.ts'
import type { HostReason } from '../../domain/blob.ts'
import { blobCidOf } from '../../domain/cid.ts'
import { pluginReason } from '../../domain/other-type.ts'
import type { OtherTypes } from '../../domain/other-type.ts'
import type { HashOutcome } from '../../domain/ports.ts'
import { needs } from '../access.ts'
import type { ApiVariables } from '../access.ts'
import type { ApiParts } from '../open-apis.ts'
import { readBytes } from '../../http/read-bytes.ts'
import { createShares } from '../shares.ts'
import type { ApiApp } from './app.ts'
import { jsonBody } from './app.ts'
import { fileOfForm } from './multipart.ts'
import { refusals } from './problem-schema.ts'
import { refuse, refuseForNow } from './refuse.ts'

export const hashLimits = {
  /** Each holds a whole upload in memory. */
  atOnce: 8,
  /** Who sends slowly keeps others waiting by these only. */
  perCaller: 6,
  waitMs: 5_000,
  bodyMs: 30_000,
  fetchMs: 30_000,
  hashMs: 60_000,
  /** What a form adds to the file. */
  formBytes: 64 * 1024,
  jsonBytesMax: 16 * 1024,
  urlCharsMax: 2_048,
} as const

const hashSchema = z.object({
  algorithm: z.string().openapi({ description: 'pdq, sha256, md5, sha1, or a plug-in.' }),
  hash_value: z.string().openapi({ description: 'Lowercase hexadecimal.' }),
  quality: z
    .int()
    .min(0)
    .max(100)
    .optional()
    .openapi({ description: `PDQ's under ${pdqQualityMin}: the hash is not compared.` }),
})

const hashedSchema = z
  .object({
    hashes: z.array(hashSchema).openapi({ description: 'PDQ first, where there is one.' }),
    media: z.enum(['image', 'video', 'other']),
    format: z.string(),
    bytes: z.int(),
    cid: z.string().openapi({ description: 'The blob CID of these bytes.' }),
    unscannable: z
      .enum([...contentReasons, ...pluginReasons])
      .optional()
      .openapi({
        description: 'Why not all that this kind of media requires was computed. Not clear.',
      }),
  })
  .openapi('Hashed')

const ok = {
  description: 'The signals.',
  content: { 'application/json': { schema: hashedSchema } },
}

const hashRoute = createRoute({
  method: 'post',
  path: '/hash',
  description: 'Hash an uploaded file.',
  middleware: [needs('scan')],
  request: {
    body: {
      required: true,
      content: {
        'multipart/form-data': {
          schema: {
            type: 'object',
            description: 'The file, as `file` or as `image`.',
            properties: {
              file: { type: 'string', format: 'binary' },
              image: { type: 'string', format: 'binary' },
            },
          },
        },
      },
    },
  },
  responses: { 200: ok, ...refusals(400, 408, 413, 415, 422, 503) },
})

const urlRoute = createRoute({
  method: 'post',
  path: '/hash/url',
  description: 'Fetch a public address and hash what lies there.',
  middleware: [needs('scan'), jsonBody(hashLimits.jsonBytesMax)],
  request: {
    body: {
      required: true,
      content: {
        'application/json': {
          schema: z.object({ url: z.url({ protocol: /^https?$/ }).max(hashLimits.urlCharsMax) }),
        },
      },
    },
  },
  responses: { 200: ok, ...refusals(400, 413, 422, 503) },
})

export function addHashRoutes(app: ApiApp, { parts }: ApiParts): void {
  const { config, fetcher, hasher, others } = parts
  const shares = createShares(hashLimits)
  const tooLarge = `A file may have ${config.blobBytesMax} bytes.`

  const inTurn = async (
    context: Context<ApiVariables>,
    work: () => Promise<Response>,
  ): Promise<Response> => {
    const give = await shares.take(context.get('access').principal, context.req.raw.signal)
    if (give === undefined)
      return refuseForNow(
        context,
        'Too many pictures are being hashed. Ask again after Retry-After seconds.',
      )
    try {
      return await work()
    } finally {
      give()
    }
  }
  const hash = async (context: Context, file: { bytes: Uint8Array; contentType?: string }) => {
    const signal = AbortSignal.any([context.req.raw.signal, AbortSignal.timeout(hashLimits.hashMs)])
    return context.json(
      hashed(await hasher.hash({ ...file, signal }), file.bytes.length, others),
      200,
    )
  }

  app.openapi(
    hashRoute,
    (context) =>
      inTurn(context, async () => {
        const bytesMax = config.blobBytesMax + hashLimits.formBytes
        const read = await readBytes(context.req.raw, { bytesMax, ms: hashLimits.bodyMs })
        if (read.kind === 'too-large') return refuse(context, 413, tooLarge, 'too-large')
        if (read.kind === 'incomplete')
          return refuse(context, 408, 'The body did not arrive in time. Send it again.', 'too-slow')
        const contentType = context.req.header('content-type') ?? ''
        const file = fileOfForm(read.bytes, contentType, ['file', 'image'])
        if (file.kind === 'no-form')
          return refuse(
            context,
            415,
            'Send a form: content-type: multipart/form-data, the file in a part named file.',
            'wrong-type',
          )
        if (file.kind === 'refused') return refuse(context, 422, file.sentence, 'no-file')
        if (file.bytes.length === 0) return refuse(context, 422, 'The file has no byte.', 'empty')
        if (file.bytes.length > config.blobBytesMax)
          return refuse(context, 413, tooLarge, 'too-large')
        return hash(context, file)
      }) as never,
  )
  app.openapi(
    urlRoute,
    (context) =>
      inTurn(context, async () => {
        const signal = AbortSignal.any([
          context.req.raw.signal,
          AbortSignal.timeout(hashLimits.fetchMs),
        ])
        const fetched = await fetcher.fetchUrl({ url: context.req.valid('json').url, signal })
        if (fetched.kind === 'deferred')
          return refuseForNow(
            context,
            `The address gave nothing now: ${fetched.reason}. Ask again after Retry-After seconds.`,
          )
        if (fetched.kind === 'unavailable')
          return refuse(
            context,
            422,
            urlSentences[fetched.reason] ?? `The address gave nothing: ${fetched.reason}.`,
            fetched.reason,
          )
        if (fetched.bytes.length === 0)
          return refuse(context, 422, 'What lies at the address has no byte.', 'empty')
        return hash(context, fetched)
      }) as never,
  )
}

const urlSentences: Partial<Record<HostReason, string>> = {
  'forbidden-address':
    'Only public https addresses are fetched: a name and not an IP address, the default port, and no redirect inwards.',
  'not-found': 'There is nothing at the address.',
  refused: 'The host of the address refuses to give it.',
  'too-large': 'What lies at the address is larger than a blob may be.',
}

function hashed(
  { media, format, signals, unscannable }: HashOutcome,
  bytes: number,
  types: OtherTypes,
): z.infer<typeof hashedSchema> {
  const { pdq, sha256, md5, sha1, others = [] } = signals
  const why = unscannable ?? pluginReason(signals, media, types)
  return {
    hashes: [
      ...(pdq === undefined
        ? []
        : [{ algorithm: 'pdq', hash_value: pdq.hash, quality: pdq.quality }]),
      { algorithm: 'sha256', hash_value: sha256 },
      ...(md5 === undefined ? [] : [{ algorithm: 'md5', hash_value: md5 }]),
      ...(sha1 === undefined ? [] : [{ algorithm: 'sha1', hash_value: sha1 }]),
      ...others.flatMap(({ type, value, quality }) =>
        value === undefined
          ? []
          : [{ algorithm: type, hash_value: value, ...(quality !== undefined && { quality }) }],
      ),
    ],
    media,
    format,
    bytes,
    cid: blobCidOf(sha256),
    ...(why !== undefined && { unscannable: why }),
  }
}
