// The ledger as an auditor's program reads it: entries as they are, proofs, and the newest signed checkpoint. Personal values
// are commitments in them, and stay so: nothing is opened here.
import { createRoute, z } from '@hono/zod-openapi'
import type { Database } from '../../db/client.ts'
import { findEntries, parseRead, seqAtTime } from '../../ledger/find-entries.ts'
import type { ReadEntry } from '../../ledger/find-entries.ts'
import { readEntries, readHead } from '../../ledger/read-ledger.ts'
import { firstThatMayHold, ledgerConditions } from '../../roles/ledger-filter.ts'
import { proveEntry } from '../../roles/prove-entry.ts'
import { newestCheckpoint } from '../../steps/checkpoints.ts'
import { may, needs } from '../access.ts'
import type { ApiApp } from './app.ts'
import {
  bigNumber,
  body,
  givenTime,
  limitUpTo,
  number,
  pageLimits,
  Refusal,
  text,
} from './declare.ts'
import { refusals } from './problem-schema.ts'

/** No index knows what entries say: one request looks at no more than this many. */
export const ledgerLookMax = 200_000

const entrySchema = z
  .object({
    seq: z.int(),
    t: z.string(),
    type: z.string(),
    actor: z.object({ kind: z.string().optional(), principal: z.int().optional() }),
    pub: z.record(z.string(), z.unknown()),
    com: z.record(z.string(), z.string()),
  })
  .openapi('Entry')

const list = createRoute({
  method: 'get',
  path: '/ledger',
  tags: ['Ledger'],
  summary: 'Entries, the newest first unless order=oldest',
  description:
    'A search looks at a bounded stretch: a page may be empty and have a `next`, which is `before` (or, with order=oldest, `after`) of the page that goes on.',
  middleware: [needs('ledger:read')] as const,
  request: {
    query: z.strictObject({
      type: z
        .string()
        .regex(/^[a-z][a-z0-9.,*-]{0,500}$/, 'has to be types with commas, as case.*,bank.set')
        .optional()
        .openapi({ description: 'With commas; case.* for all that begin so.' }),
      case: number.optional(),
      bank: text.max(255).optional().openapi({
        description: 'Its number, as entries have it (b5), or with bank:read its name.',
      }),
      action: bigNumber.optional(),
      actor: text.min(1).max(63).optional(),
      since: givenTime.optional(),
      until: givenTime.optional(),
      before: bigNumber.optional(),
      after: bigNumber.optional(),
      order: z.enum(['newest', 'oldest']).default('newest'),
      limit: limitUpTo(pageLimits.rowsMax).default(pageLimits.rowsDefault),
    }),
  },
  responses: {
    200: body('A page.', z.object({ entries: z.array(entrySchema), next: z.int().optional() })),
    ...refusals(422, 503),
  },
})

const checkpoint = createRoute({
  method: 'get',
  path: '/ledger/checkpoint',
  tags: ['Ledger'],
  summary: 'The newest signed note, with the cosignatures that came in',
  middleware: [needs('ledger:read')] as const,
  responses: {
    200: {
      description: 'C2SP tlog-checkpoint.',
      content: { 'text/plain': { schema: z.string() } },
    },
    ...refusals(404, 503),
  },
})

const seqParam = z.object({ seq: bigNumber })
const show = createRoute({
  method: 'get',
  path: '/ledger/{seq}',
  tags: ['Ledger'],
  summary: 'One entry, with the bytes that its hash is over',
  middleware: [needs('ledger:read')] as const,
  request: { params: seqParam },
  responses: {
    200: body(
      'The entry.',
      z.object({
        entry: entrySchema,
        bytes: z.string().openapi({ description: 'base64' }),
        hash: z.string().openapi({ description: 'hex' }),
      }),
    ),
    ...refusals(404, 422, 503),
  },
})

const proof = createRoute({
  method: 'get',
  path: '/ledger/{seq}/proof',
  tags: ['Ledger'],
  summary: 'That the entry is in the log: for node verifier/verify.mjs proof',
  middleware: [needs('ledger:read')] as const,
  request: { params: seqParam },
  responses: {
    200: { description: 'C2SP tlog-proof.', content: { 'text/plain': { schema: z.string() } } },
    ...refusals(404, 409, 422, 503),
  },
})

export function addLedger(app: ApiApp, { db }: { db: Database }): void {
  app.openapi(list, async (context) => {
    const query = context.req.valid('query')
    const isNumber = /^b\d+$/.test(query.bank ?? 'b0')
    // Whether a name is refused would tell that there is such a bank.
    if (!isNumber && !may(context.get('access'), 'bank:read'))
      throw new Refusal(403, 'bank-number', 'Without bank:read, ask for a bank by its number: b5.')
    return context.json((await readPage(db, query)) as never, 200)
  })
  app.openapi(checkpoint, async (context) => {
    const head = await readHead(db)
    const newest = head && (await newestCheckpoint(db, { origin: head.log }))
    if (newest === undefined)
      throw new Refusal(404, 'no-checkpoint', 'No checkpoint is signed yet.')
    return context.text(newest.note, 200)
  })
  app.openapi(show, async (context) => {
    const { seq } = context.req.valid('param')
    const [stored] = (await readEntries(db, { from: seq, to: seq + 1 }).next()).value ?? []
    if (stored === undefined) throw new Refusal(404, 'no-such-entry', 'There is no such entry.')
    const bytes = stored.bytes.toString('base64')
    const answer = { entry: parseRead(stored), bytes, hash: stored.hash.toString('hex') }
    return context.json(answer as never, 200)
  })
  app.openapi(proof, async (context) => {
    const proved = await proveEntry(db, context.req.valid('param').seq)
    if (proved.kind === 'no-such-entry')
      throw new Refusal(404, 'no-such-entry', 'There is no such entry.')
    if (proved.kind === 'not-signed-yet')
      throw new Refusal(
        409,
        'not-signed-yet',
        'It is under no signed checkpoint yet: ask again in a minute.',
      )
    return context.text(proved.proof, 200)
  })
}

type Query = {
  type?: string | undefined
  case?: number | undefined
  bank?: string | undefined
  action?: number | undefined
  actor?: string | undefined
  since?: string | undefined
  until?: string | undefined
  before?: number | undefined
  after?: number | undefined
  order: 'newest' | 'oldest'
  limit: number
}

async function readPage(
  db: Database,
  query: Query,
): Promise<{ entries: ReadEntry[]; next?: number }> {
  const { order, limit } = query
  const size = (await readHead(db))?.size ?? 0
  const conditions = await ledgerConditions(db, { ...query, types: query.type?.split(',') })
  const at = (text: string | undefined) =>
    text === undefined ? undefined : seqAtTime(db, new Date(text), size)
  const from = Math.max(
    (await at(query.since)) ?? 0,
    await firstThatMayHold(db, conditions, size),
    query.after === undefined ? 0 : query.after + 1,
  )
  const to = Math.min((await at(query.until)) ?? size, query.before ?? size, size)
  const isSearch = conditions.some(({ needles }) => needles.length > 0)
  const span = isSearch ? ledgerLookMax : Number.MAX_SAFE_INTEGER
  const range =
    order === 'newest'
      ? { from: Math.max(from, to - span), to }
      : { from, to: Math.min(to, from + span) }
  const found = await findEntries(db, { range, conditions, limit: limit + 1, order })
  const entries = found.slice(0, limit)
  if (found.length > limit) return { entries, next: entries.at(-1)?.seq ?? 0 }
  if (order === 'newest') return range.from > from ? { entries, next: range.from } : { entries }
  return range.to < to ? { entries, next: range.to - 1 } : { entries }
}
