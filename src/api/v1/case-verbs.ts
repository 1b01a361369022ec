// What is said about a case: confirm, release, overturn, a note; an appeal and what became of it.
import { createRoute, z } from '@hono/zod-openapi'
import { caseHead } from '../../cases/case-file.ts'
import { appealOutcomes, receiveAppeal, resolveAppeal } from '../../steps/appeal.ts'
import type { CaseVerb, ContentChange } from '../../steps/withdraw.ts'
import { takeWord } from '../../roles/decide-case.ts'
import { needs, person } from '../access.ts'
import { once, onceHeaders } from '../once.ts'
import { jsonBody } from './app.ts'
import type { ApiApp } from './app.ts'
import type { CaseParts } from './cases.ts'
import { body, givenTime, number, orRefuse, Refusal, takes, text } from './declare.ts'
import { refusals } from './problem-schema.ts'

const noteText = text.trim().min(1).max(2000)
const id = z.object({ id: number })
const contents = z.array(z.int().min(1)).min(1).max(1000).optional().openapi({
  description: 'Of several contents behind the match, these.',
})
const disableUntil = z.int().min(0).max(Number.MAX_SAFE_INTEGER).optional().openapi({
  description: 'The content was wrong: 0 disables it for good, else until that unix second.',
})

const words = {
  confirm: z.strictObject({
    note: noteText.optional(),
    moveTo: text.max(255).optional().openapi({ description: 'A bank for the contents.' }),
    contents,
    withoutEvidence: z.boolean().default(false),
  }),
  release: z.strictObject({ note: noteText.optional(), disableUntil, contents }),
  overturn: z.strictObject({ note: noteText.optional(), disableUntil, contents }),
  note: z.strictObject({ note: noteText }),
} as const

const summaries = {
  confirm: 'It is what it matched: do what waits',
  release: 'It is not, or nothing shall be done: what waits ends',
  overturn: 'It was wrong: take back what was done',
  note: 'Write something down in a case',
} as const satisfies Record<CaseVerb, string>

const decidedSchema = z
  .object({
    case: z.int(),
    state: z.string(),
    actions: z.int(),
    subjects: z.int(),
    feedback: z.int(),
    stays: z.int(),
    wantedBy: z.array(z.int()),
    changed: z.array(z.int()),
  })
  .openapi('Decided')

const verbRoute = (verb: CaseVerb) =>
  createRoute({
    method: 'post',
    path: `/cases/{id}/${verb}`,
    tags: ['Cases'],
    summary: summaries[verb],
    middleware: [needs('case:decide'), person, jsonBody()] as const,
    request: { params: id, body: takes(words[verb] as (typeof words)['confirm']) },
    responses: {
      200: body('Decided, with its ledger entry on its way.', decidedSchema),
      ...refusals(400, 404, 409, 413, 422, 503),
    },
  })

const appealSchema = z.object({ case: z.int(), appeal: z.int(), state: z.string() })

export function addCaseVerbs(app: ApiApp, parts: CaseParts): void {
  for (const verb of ['confirm', 'release', 'overturn', 'note'] as const) addVerb(app, parts, verb)
  addAppeals(app, parts)
}

function addVerb(app: ApiApp, { db, clock, config }: CaseParts, verb: CaseVerb): void {
  app.openapi(verbRoute(verb), async (context) => {
    const { id: caseNumber } = context.req.valid('param')
    const said: Said = context.req.valid('json')
    await orRefuse(404, 'no-such-case', caseHead(db, caseNumber))
    const change = changeOf(said)
    const word = await orRefuse(
      409,
      'not-in-this-state',
      takeWord({
        db,
        caseNumber,
        verb,
        principal: context.get('access').principal,
        ...(said.note !== undefined && { note: said.note }),
        ...(change && { change }),
        hasVault: config.evidence !== undefined,
        acceptsMissingEvidence: said.withoutEvidence === true,
        nowMs: clock(),
      }),
    )
    if (word.kind === 'without-evidence')
      throw new Refusal(
        409,
        'without-evidence',
        `Nothing was kept of ${word.blobs} blobs, and their bank asks for evidence. withoutEvidence: true confirms all the same. Nothing was decided.`,
      )
    if (word.kind === 'several-contents')
      throw new Refusal(
        409,
        'several-contents',
        `Several contents matched: ${word.contents.map(({ content }) => content).join(', ')}. Say with contents which were wrong. Nothing was decided.`,
      )
    return context.json({ case: caseNumber, ...word.decided }, 200)
  })
}

type Said = {
  note?: string | undefined
  moveTo?: string | undefined
  disableUntil?: number | undefined
  contents?: number[] | undefined
  withoutEvidence?: boolean
}

function changeOf({ moveTo, disableUntil, contents }: Said): ContentChange | undefined {
  const named = contents && { contents }
  if (moveTo !== undefined) return { ...named, moveTo }
  if (disableUntil !== undefined) return { ...named, disableUntilTs: disableUntil }
  if (contents === undefined) return undefined
  throw new Refusal(
    422,
    'invalid-fields',
    'contents says which ones moveTo or disableUntil is about.',
  )
}

function addAppeals(app: ApiApp, { db, clock }: CaseParts): void {
  const receive = createRoute({
    method: 'post',
    path: '/cases/{id}/appeal',
    tags: ['Cases'],
    summary: 'Somebody objects: write it down. It changes nothing by itself',
    middleware: [needs('case:decide'), jsonBody(), once({ db, clock })] as const,
    request: {
      params: id,
      headers: onceHeaders,
      body: takes(z.strictObject({ note: noteText, received: givenTime.optional() })),
    },
    responses: {
      201: body('Written down.', appealSchema),
      ...refusals(400, 404, 409, 413, 422, 503),
    },
  })
  const resolve = createRoute({
    method: 'post',
    path: '/cases/{id}/appeals/{appeal}/resolve',
    tags: ['Cases'],
    summary: 'What became of an appeal. Where it is upheld, overturn or release the case first',
    middleware: [needs('case:decide'), person, jsonBody()] as const,
    request: {
      params: id.extend({ appeal: number }),
      body: takes(z.strictObject({ outcome: z.enum(appealOutcomes), note: noteText.optional() })),
    },
    responses: { 200: body('Resolved.', appealSchema), ...refusals(400, 404, 409, 413, 422, 503) },
  })
  app.openapi(receive, async (context) => {
    const { id: caseNumber } = context.req.valid('param')
    const { note, received } = context.req.valid('json')
    await orRefuse(404, 'no-such-case', caseHead(db, caseNumber))
    const { appeal, state } = await receiveAppeal(db, {
      caseNumber,
      note,
      ...(received !== undefined && { receivedMs: Date.parse(received) }),
      principal: context.get('access').principal,
      nowMs: clock(),
    })
    return context.json({ case: caseNumber, appeal, state }, 201)
  })
  app.openapi(resolve, async (context) => {
    const { id: caseNumber, appeal } = context.req.valid('param')
    const { outcome, note } = context.req.valid('json')
    await orRefuse(404, 'no-such-case', caseHead(db, caseNumber))
    const resolved = await orRefuse(
      409,
      'not-open',
      resolveAppeal(db, {
        caseNumber,
        appeal,
        outcome,
        ...(note !== undefined && { note }),
        principal: context.get('access').principal,
        nowMs: clock(),
      }),
    )
    return context.json({ case: caseNumber, appeal: resolved.appeal, state: resolved.state }, 200)
  })
}
