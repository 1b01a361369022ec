// Banks: what they are and what their matches may do. Whoever may read banks may read their names; a change is entered with
// the caller's name, like one by a person at the command line.
import { createRoute, z } from '@hono/zod-openapi'
import { bankNamed, createBank, listBanks, setBank } from '../../banks/bank-store.ts'
import type { PolicyInput } from '../../banks/bank-policy.ts'
import type { Database } from '../../db/client.ts'
import {
  actionKinds,
  bankClasses,
  distanceBounds,
  modes,
  policyDefaults,
} from '../../domain/bank.ts'
import type { Bank } from '../../domain/bank.ts'
import { needs } from '../access.ts'
import { jsonBody } from './app.ts'
import type { ApiApp } from './app.ts'
import { addBankContents } from './bank-contents.ts'
import { bankName, findBank, personNeeded } from './bank-parts.ts'
import type { BankParts } from './bank-parts.ts'
import { body, Refusal, takes, text } from './declare.ts'
import { refusals } from './problem-schema.ts'

const answers = z.enum(['act', 'hold'])
const policyFields = {
  exact: answers,
  perceptual: answers,
  pdqDistanceMax: z.int().min(0).max(distanceBounds.pdq),
  clipDistanceMax: z.int().min(0).max(distanceBounds.clip),
  ratio: z.number().min(0).max(1),
  ratioSeed: text.max(100),
  actions: z.array(z.enum(actionKinds)).max(actionKinds.length),
  preserve: z.boolean(),
}
const suppresses = z.union([z.literal('all'), z.array(z.int().min(1)).min(1).max(1000)])
const policyChange = z.strictObject({
  ...z.object(policyFields).partial().shape,
  label: text.max(100).nullable().optional(),
  suppresses: suppresses.nullable().optional(),
})

export const bankSchema = z
  .object({
    id: z.int(),
    name: z.string(),
    mode: z.enum(modes),
    class: z.enum(bankClasses),
    confidential: z.boolean(),
    policy: z.object({
      version: z.int(),
      ...policyFields,
      label: z.string().optional(),
      suppresses: suppresses.optional(),
    }),
    contents: z.int().optional(),
    signals: z.int().optional(),
  })
  .openapi('Bank')

const list = createRoute({
  method: 'get',
  path: '/banks',
  tags: ['Banks'],
  summary: 'All banks with their modes and sizes',
  middleware: [needs('bank:read')] as const,
  responses: { 200: body('Banks.', z.object({ banks: z.array(bankSchema) })), ...refusals(503) },
})

const create = createRoute({
  method: 'post',
  path: '/banks',
  tags: ['Banks'],
  summary: 'Make a bank',
  middleware: [needs('bank:write'), jsonBody()] as const,
  request: {
    body: takes(
      z.strictObject({
        name: bankName,
        mode: z.enum(modes).default('observe'),
        class: z.enum(bankClasses).default('restricted'),
        policy: policyChange.optional(),
      }),
    ),
  },
  responses: { 201: body('Made.', bankSchema), ...refusals(400, 409, 413, 422, 503) },
})

const show = createRoute({
  method: 'get',
  path: '/banks/{name}',
  tags: ['Banks'],
  summary: 'One bank',
  middleware: [needs('bank:read')] as const,
  request: { params: z.object({ name: bankName }) },
  responses: { 200: body('The bank.', bankSchema), ...refusals(404, 422, 503) },
})

const change = createRoute({
  method: 'patch',
  path: '/banks/{name}',
  tags: ['Banks'],
  summary: 'Change its mode or parts of its policy; what is not named stays, null takes away',
  middleware: [needs('bank:write'), jsonBody()] as const,
  request: {
    params: z.object({ name: bankName }),
    body: takes(
      z
        .strictObject({ mode: z.enum(modes).optional(), policy: policyChange.optional() })
        .refine(
          ({ mode, policy = {} }) => mode !== undefined || Object.keys(policy).length > 0,
          'changes nothing: name a mode, or a part of the policy',
        ),
    ),
  },
  responses: {
    200: body('In force within a second.', bankSchema),
    ...refusals(400, 404, 413, 422, 503),
  },
})

export function addBanks(app: ApiApp, parts: BankParts): void {
  const { db, clock } = parts
  app.openapi(list, async (context) => context.json({ banks: await listBanks(db) } as never, 200))
  app.openapi(create, async (context) => {
    const { name, policy = {}, ...given } = context.req.valid('json')
    const { principal, kind } = context.get('access')
    const made = { mode: given.mode, policy: { ...policyDefaults, ...policyOf({}, policy) } }
    checkWord(kind, { mode: 'observe', policy: policyDefaults }, made)
    if (await isThere(db, name))
      throw new Refusal(409, 'bank-exists', 'A bank of this name exists already.')
    await createBank(db, {
      name,
      ...given,
      policy: policyOf({}, policy),
      principal,
      nowMs: clock(),
    })
    return context.json((await bankNamed(db, name)) as never, 201)
  })
  app.openapi(show, async (context) => {
    const { name } = context.req.valid('param')
    const [bank] = await listBanks(db, { name })
    return context.json((bank ?? (await findBank(db, name))) as never, 200)
  })
  app.openapi(change, async (context) => {
    const { name } = context.req.valid('param')
    const { mode, policy } = context.req.valid('json')
    const bank = await findBank(db, name)
    const { version: _, ...before } = bank.policy
    const after = policyOf(before, policy ?? {}) as PolicyInput
    const { principal, kind } = context.get('access')
    checkWord(kind, bank, { mode: mode ?? bank.mode, policy: after })
    await setBank(db, {
      name,
      ...(mode !== undefined && { mode }),
      ...(policy !== undefined && { policy: after }),
      principal,
      nowMs: clock(),
    })
    return context.json((await bankNamed(db, name)) as never, 200)
  })
  addBankContents(app, parts)
}

async function isThere(db: Database, name: string): Promise<boolean> {
  return (await listBanks(db, { name })).length > 0
}

type Can = Pick<Bank, 'mode'> & { policy: PolicyInput }

/** What lets a bank do more by itself is a person's word (promise 7), as it is at the command line. */
function checkWord(kind: string, before: Can, after: Can): void {
  if (kind !== 'person' && doesMore(before, after)) throw personNeeded()
}

function doesMore(before: Can, after: Can): boolean {
  const [old, now] = [before.policy, after.policy]
  if (after.mode === 'act' && before.mode !== 'act') return true
  if (now.exact === 'act' && old.exact !== 'act') return true
  if (now.perceptual === 'act' && old.perceptual !== 'act') return true
  if (after.mode !== 'act') return false
  return (
    now.pdqDistanceMax > old.pdqDistanceMax ||
    now.clipDistanceMax > old.clipDistanceMax ||
    now.actions.some((action) => !old.actions.includes(action)) ||
    (old.preserve && !now.preserve)
  )
}

/** null takes a part away. */
function policyOf(
  before: Partial<PolicyInput>,
  change: z.infer<typeof policyChange>,
): Partial<PolicyInput> {
  const entries = Object.entries({ ...before, ...change })
  return Object.fromEntries(entries.filter(([, value]) => value !== null && value !== undefined))
}
