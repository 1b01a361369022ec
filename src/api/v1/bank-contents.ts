// Contents of banks. One comes in by its signals or by a file, through the same admission as at the command line: tested,
// compared with what was seen, and where that asks for it left to a second person.
//
// Promises: values of signals come out of open banks that are not confidential, and only when asked for (promise 8). A file
// is hashed in the sandbox and not kept.
import { createRoute, z } from '@hono/zod-openapi'
import type { Context, MiddlewareHandler } from 'hono'
import { limitBody } from '../../http/limit-body.ts'
import { listContents, sourceOf } from '../../banks/bank-contents.ts'
import { bankNamed, parseSignal, removeContent, setContent } from '../../banks/bank-store.ts'
import { checkMetadata, parseNote } from '../../banks/content-words.ts'
import type { NewSignal } from '../../banks/new-signal.ts'
import { signalsOfHash } from '../../banks/signals-of-hash.ts'
import type { OtherTypes } from '../../domain/other-type.ts'
import { problem } from '../../http/problem.ts'
import { admit, examine } from '../../roles/admit.ts'
import type { Admitted } from '../../roles/admit.ts'
import { needs } from '../access.ts'
import type { ApiVariables } from '../access.ts'
import { once, onceHeaders } from '../once.ts'
import { createShares } from '../shares.ts'
import { jsonBody } from './app.ts'
import type { ApiApp } from './app.ts'
import { bankName, findBank, personNeeded } from './bank-parts.ts'
import type { BankParts } from './bank-parts.ts'
import {
  body,
  cursor,
  number,
  orRefuse,
  paged,
  pageQuery,
  Refusal,
  takes,
  text,
  time,
} from './declare.ts'
import { hashLimits } from './hash.ts'
import { typeSchema } from './match-schema.ts'
import { refusals } from './problem-schema.ts'
import { refuseForNow } from './refuse.ts'

const signalsMax = 100
/** Each holds a whole file. */
const fileShares = { atOnce: 4, perCaller: 2, waitMs: 10_000 }

const contentSchema = z
  .object({
    id: z.int(),
    note: z.string().nullable(),
    metadata: z.record(z.string(), z.unknown()).nullable(),
    provenance: z.record(z.string(), z.unknown()).nullable(),
    source: z.string().nullable(),
    sourceKey: z.string().nullable(),
    addedAt: time,
    heldAt: time.nullable(),
    disableUntilTs: z.int(),
    reviewed: z.enum(['confirmed', 'deconfirmed']).nullable(),
    matchedBlobs: z.int(),
    signals: z.array(
      z.object({
        type: z.string().openapi({ description: 'Ours, or the name of a plug-in.' }),
        quality: z.int().optional(),
        value: z.string().optional(),
      }),
    ),
  })
  .openapi('Content')

const named = z.object({ name: bankName })
const ofContent = named.extend({ id: number })

const list = createRoute({
  method: 'get',
  path: '/banks/{name}/contents',
  tags: ['Banks'],
  summary: 'Its contents; values of signals with values=true, of open banks only',
  middleware: [needs('bank:read')] as const,
  request: {
    params: named,
    query: pageQuery.extend({
      values: z.enum(['true', 'false']).default('false'),
      search: text.trim().min(1).max(200).optional(),
    }),
  },
  responses: {
    200: body('A page.', z.object({ contents: z.array(contentSchema), cursor })),
    ...refusals(404, 422, 503),
  },
})

const added = z.object({
  content: z.int(),
  leftOut: z.string().optional().openapi({ description: 'A signal that the file did not give.' }),
})
const proposed = z.object({
  proposal: z.int(),
  why: z.array(z.string()),
  aloneUntil: time.nullable(),
})

const add = (parts: BankParts) =>
  createRoute({
    method: 'post',
    path: '/banks/{name}/contents',
    tags: ['Banks'],
    summary:
      'Add a known item: its signals as JSON, or the file itself as application/octet-stream',
    description:
      'Compared with everything that was seen in the kept window: that takes a while. `accounts`: the number of accounts concerned, where it is asked for (409 with the code needs-count).',
    middleware: [needs('bank:write'), bodyInTurn(parts), once(parts)] as const,
    request: {
      params: named,
      headers: onceHeaders,
      query: z.object({
        note: text.max(2000).optional(),
        accounts: z.coerce.number().int().min(0).optional(),
      }),
      body: {
        // Which of the two it is, is decided here: the framework takes every body for the first.
        required: false,
        content: {
          'application/json': {
            schema: z.strictObject({
              signals: z
                .array(
                  z.strictObject({
                    type: typeSchema(parts.others),
                    value: z.string().max(256),
                    quality: z.int().min(0).max(100).optional(),
                  }),
                )
                .min(1)
                .max(signalsMax),
              note: text.max(2000).optional(),
              metadata: z.record(z.string(), z.unknown()).optional(),
              accounts: z.int().min(0).optional(),
            }),
          },
          'application/octet-stream': { schema: z.any() },
        },
      },
    },
    responses: {
      201: body('It is in; what was scanned before is compared with it.', added),
      202: body('It waits for a second person.', proposed),
      ...refusals(400, 404, 409, 413, 422, 503),
    },
  })

const change = createRoute({
  method: 'patch',
  path: '/banks/{name}/contents/{id}',
  tags: ['Banks'],
  summary: 'Disable or enable a content, or let one act again that a flood set aside',
  middleware: [needs('bank:write'), jsonBody()] as const,
  request: {
    params: ofContent,
    body: takes(
      z.union(
        [
          z.strictObject({
            disableUntil: z.int().min(0).max(Number.MAX_SAFE_INTEGER).openapi({
              description: '0 disables for good, 1 enables, else disabled until that unix second.',
            }),
          }),
          z.strictObject({ resume: z.literal(true) }),
        ],
        {
          error: 'has to have disableUntil with a whole number, or resume: true, and nothing else',
        },
      ),
    ),
  },
  responses: {
    200: body('Changed.', z.object({ bank: z.string(), content: z.int() })),
    ...refusals(400, 404, 413, 422, 503),
  },
})

const remove = createRoute({
  method: 'delete',
  path: '/banks/{name}/contents/{id}',
  tags: ['Banks'],
  summary: 'It matches nothing from now on. What it caused stays',
  middleware: [needs('bank:write')] as const,
  request: { params: ofContent },
  responses: {
    200: body(
      'Removed.',
      z.object({
        bank: z.string(),
        content: z.int(),
        source: z.string().optional().openapi({
          description: 'The list that it came with, whose next import brings it again.',
        }),
      }),
    ),
    ...refusals(404, 422, 503),
  },
})

export function addBankContents(app: ApiApp, parts: BankParts): void {
  const { db, clock } = parts
  app.openapi(list, async (context) => {
    const { name } = context.req.valid('param')
    const { limit, cursor: after, values, search } = context.req.valid('query')
    const bank = await findBank(db, name)
    const withValues = values === 'true'
    if (withValues && (bank.class === 'restricted' || bank.confidential))
      throw new Refusal(
        403,
        'values-closed',
        'The signals of a restricted or confidential bank are not shown. Ask without values=true.',
      )
    const asked = { bank: bank.id, withValues, limit: limit + 1, offset: 0 }
    const read = await listContents(db, {
      ...asked,
      ...(after !== undefined && { after }),
      ...(search !== undefined && { search, others: parts.others }),
    })
    const { rows, ...more } = paged(read, limit, ({ id }) => id)
    return context.json({ contents: rows, ...more } as never, 200)
  })
  app.openapi(add(parts), async (context) => {
    const { name } = context.req.valid('param')
    await findBank(db, name)
    const query = context.req.valid('query')
    const type = typeOf(context)
    const isJson = type === 'application/json'
    if (!isJson && type !== 'application/octet-stream')
      throw new Refusal(
        422,
        'invalid-fields',
        'Send application/json with signals, or the file as application/octet-stream.',
      )
    const given: Given = isJson
      ? givenSignals(context.req.valid('json') as never, parts.others)
      : {
          ...(await hashedFile(parts, await context.req.arrayBuffer(), context.req.raw.signal)),
          note: query.note,
          accounts: query.accounts,
        }
    const { principal, kind } = context.get('access')
    // The number stands for a person who looked at it (promise 11).
    if (given.accounts !== undefined && kind !== 'person') throw personNeeded()
    const outcome = await parts.turns(() => bring(parts, { name, given, principal }))
    return context.json(...answerOf(outcome, given.leftOut)) as never
  })
  app.openapi(change, async (context) => {
    const { name, id: content } = context.req.valid('param')
    const said = context.req.valid('json')
    await findBank(db, name)
    if ('resume' in said && context.get('access').kind !== 'person') throw personNeeded()
    const common = {
      bank: name,
      content,
      principal: context.get('access').principal,
      nowMs: clock(),
    }
    const changed =
      'resume' in said
        ? setContent(db, { ...common, change: 'resume' })
        : setContent(db, { ...common, change: 'set', disableUntilTs: said.disableUntil })
    await orRefuse(404, 'no-such-content', changed)
    return context.json({ bank: name, content }, 200)
  })
  app.openapi(remove, async (context) => {
    const { name, id: content } = context.req.valid('param')
    const source = await sourceOf(db, (await findBank(db, name)).id, content)
    const { principal } = context.get('access')
    const removed = removeContent(db, { bank: name, content, principal, nowMs: clock() })
    await orRefuse(404, 'no-such-content', removed)
    return context.json({ bank: name, content, ...(source !== undefined && { source }) }, 200)
  })
}

/** Before the request is begun: what is refused here may be sent again as it is. */
function bodyInTurn({ config, turns }: BankParts): MiddlewareHandler<ApiVariables> {
  const shares = createShares(fileShares)
  const small = jsonBody()
  const large = limitBody({
    maxSize: config.blobBytesMax,
    onError: (context) =>
      problem(context, 413, {
        detail: `A file may have ${config.blobBytesMax} bytes.`,
        code: 'too-large',
      }),
  })
  return async (context, next) => {
    if (turns.isFull())
      return refuseForNow(context, 'Too many contents wait. Ask again after Retry-After seconds.')
    if (typeOf(context) !== 'application/octet-stream') return small(context, next)
    const { signal } = context.req.raw
    const give = await shares.take(context.get('access').principal, signal)
    if (give === undefined)
      return refuseForNow(context, 'Too many files wait. Ask again after Retry-After seconds.')
    try {
      return await large(context, next)
    } finally {
      give()
    }
  }
}

function typeOf(context: Context): string {
  return (context.req.header('content-type') ?? '').split(';', 1)[0]?.trim() ?? ''
}

type Given = {
  signals: NewSignal[]
  note?: string | undefined
  metadata?: object | undefined
  accounts?: number | undefined
  leftOut?: string | undefined
}

function givenSignals(said: Given, others: OtherTypes): Given {
  return {
    ...said,
    signals: said.signals.map((signal) => parseSignal(signal, others)),
    ...(said.metadata && { metadata: checkMetadata(said.metadata) }),
  }
}

async function hashedFile(
  { hasher }: BankParts,
  file: ArrayBuffer,
  left: AbortSignal,
): Promise<Given> {
  const signal = AbortSignal.any([left, AbortSignal.timeout(hashLimits.hashMs)])
  const hashed = await hasher.hash({ bytes: new Uint8Array(file), signal })
  if (hashed.unscannable === 'empty') throw new Refusal(422, 'empty', 'The file has no byte.')
  return signalsOfHash(hashed)
}

async function bring(
  { db, clock, config, others }: BankParts,
  { name, given: said, principal }: { name: string; given: Given; principal: number },
): Promise<Admitted> {
  const { note, metadata, accounts, signals } = said
  const bank = await bankNamed(db, name)
  const settings = config
  const given = { db, bank, others, settings }
  const examined = await examine({ ...given, contents: [signals], nowMs: clock() })
  const [content] = examined.contents
  if (content === undefined) throw new TypeError('one content was examined')
  return admit({
    ...{ ...given, examined, content, metadata, principal },
    note: note === undefined ? undefined : parseNote(note),
    typedAccounts: accounts,
    nowMs: clock(),
  })
}

function answerOf(
  outcome: Admitted,
  leftOut: string | undefined,
): [z.infer<typeof added> | object, 201 | 202] {
  switch (outcome.kind) {
    case 'added':
      return [{ content: outcome.content, ...(leftOut !== undefined && { leftOut }) }, 201]
    case 'proposed': {
      const { proposal, why, aloneUntil } = outcome
      return [{ proposal, why, aloneUntil }, 202]
    }
    case 'refused':
      throw new Refusal(
        422,
        'says-too-little',
        'No signal is left that says something about one picture.',
      )
    case 'needs-count':
      throw new Refusal(
        409,
        'needs-count',
        `So many accounts would be concerned that their number is asked for: accounts: ${outcome.accounts}. Nothing was changed.`,
      )
    default:
      return outcome satisfies never
  }
}
