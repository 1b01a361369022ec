// Cases: what people decide. Reading them needs case:read; a decision is a person's word (promise 7), so it needs a key of a
// person with case:decide. An objection may come from a program too: it changes nothing by itself.
//
// Promises: banks are named only to who may read banks, distances only to who may see distances; never a signal.
import { createRoute, z } from '@hono/zod-openapi'
import { actionsAbout, decisionsAbout, labelsAbout, matchesOf } from '../../cases/about.ts'
import { appealsOf } from '../../cases/appeals.ts'
import { caseBlobs, caseHead, caseHistory } from '../../cases/case-file.ts'
import { caseStates, listCases } from '../../cases/case-list.ts'
import { blobForMachines, forMachines, matchForMachines, uriOf } from '../../cases/for-machines.ts'
import type { Config } from '../../config.ts'
import type { Database } from '../../db/client.ts'
import type { Clock } from '../../domain/ports.ts'
import { may, needs } from '../access.ts'
import type { Access } from '../access.ts'
import type { ApiApp } from './app.ts'
import { addCaseVerbs } from './case-verbs.ts'
import {
  body,
  cursor,
  limitUpTo,
  number,
  orRefuse,
  paged,
  pageLimits,
  pageQuery,
  time,
} from './declare.ts'
import { refusals } from './problem-schema.ts'

export type CaseParts = { db: Database; clock: Clock; config: Config }

const caseSchema = z
  .object({
    id: z.int(),
    state: z.enum(caseStates),
    reason: z.string(),
    openedAt: time,
    decidedAt: time.nullable(),
    decidedBy: z.string().nullable(),
    blobs: z.int(),
    accounts: z.int(),
    banks: z.array(z.string()).optional().openapi({ description: 'With the scope bank:read.' }),
    held: z.int(),
    appeals: z.int(),
    appealsOpen: z.int(),
  })
  .openapi('CaseInList')

const placed = { uri: z.string(), cid: z.string() }
const ofMatch = {
  bank: z.string().optional(),
  content: z.int().optional(),
  type: z.string(),
  distance: z.int().optional(),
}
const caseFileSchema = z
  .object({
    case: z.object({
      id: z.int(),
      state: z.enum(caseStates),
      reason: z.string(),
      openedAt: time,
      decidedAt: time.nullable(),
      decidedBy: z.string().nullable(),
      blobs: z.int(),
      places: z.int(),
      accounts: z.int(),
    }),
    blobs: z.array(
      z.object({
        cid: z.string(),
        verdict: z.string().nullable(),
        reason: z.string().nullable(),
        kind: z.string().nullable(),
        bytes: z.int().nullable(),
        quality: z.int().nullable(),
        hashedAt: time.nullable(),
      }),
    ),
    places: z.array(z.string()),
    matches: z.array(
      z.object({
        cid: z.string(),
        ...ofMatch,
        variant: z.string(),
        setAside: z.string().nullable(),
        at: time,
      }),
    ),
    decisions: z.array(
      z.object({
        ...placed,
        ...ofMatch,
        id: z.int(),
        at: time,
        source: z.string(),
        sightingAt: time,
        mode: z.string(),
        outcome: z.string(),
        reason: z.string(),
        wants: z.array(z.string()),
        case: z.int().nullable(),
      }),
    ),
    actions: z.array(
      z.object({
        ...placed,
        id: z.int(),
        kind: z.string(),
        applied: z.boolean(),
        undoes: z.int().nullable(),
        state: z.string(),
        waiting: z.string().nullable(),
        byPerson: z.boolean(),
        createdAt: time,
        releasedAt: time.nullable(),
        endedAt: time.nullable(),
        attempts: z.int(),
        lastError: z.string().nullable(),
        intentSeq: z.int().nullable(),
        resultSeq: z.int().nullable(),
      }),
    ),
    labels: z.array(
      z.object({
        seq: z.int(),
        uri: z.string(),
        val: z.string(),
        neg: z.boolean(),
        cts: z.string(),
        src: z.string(),
      }),
    ),
    appeals: z.array(
      z.object({
        id: z.int(),
        receivedAt: time,
        outcome: z.enum(['upheld', 'rejected']).nullable(),
        resolvedAt: time.nullable(),
        resolvedBy: z.string().nullable(),
      }),
    ),
    history: z.array(
      z.object({
        at: time,
        who: z.string().nullable(),
        event: z.string(),
        note: z.string().nullable(),
      }),
    ),
  })
  .openapi('CaseFile')

const list = createRoute({
  method: 'get',
  path: '/cases',
  tags: ['Cases'],
  summary: 'Cases: open ones oldest first, others newest first',
  middleware: [needs('case:read')] as const,
  request: { query: pageQuery.extend({ state: z.enum([...caseStates, 'all']).default('open') }) },
  responses: {
    200: body('A page.', z.object({ cases: z.array(caseSchema), cursor })),
    ...refusals(422, 503),
  },
})

const show = createRoute({
  method: 'get',
  path: '/cases/{id}',
  tags: ['Cases'],
  summary: 'One case: blobs, places, matches, decisions, actions, appeals, history; no pixels',
  middleware: [needs('case:read')] as const,
  request: {
    params: z.object({ id: number }),
    query: z.strictObject({
      limit: limitUpTo(pageLimits.rowsMax).default(100).openapi({
        description: 'Rows of each part.',
      }),
    }),
  },
  responses: { 200: body('The case.', caseFileSchema), ...refusals(404, 422, 503) },
})

export function addCases(app: ApiApp, parts: CaseParts): void {
  const { db } = parts
  app.openapi(list, async (context) => {
    const { limit, cursor: after, state } = context.req.valid('query')
    const asked = { state, ...(after !== undefined && { after }), limit: limit + 1, offset: 0 }
    const { rows, ...more } = paged(await listCases(db, asked), limit, ({ id }) => id)
    const mayName = may(context.get('access'), 'bank:read')
    const cases = rows.map(({ banks, ...row }) => ({ ...row, ...(mayName && { banks }) }))
    return context.json({ cases, ...more } as never, 200)
  })
  app.openapi(show, async (context) => {
    const { id } = context.req.valid('param')
    const { limit } = context.req.valid('query')
    const file = await readCaseFile(db, id, limit, context.get('access'))
    return context.json(file as never, 200)
  })
  addCaseVerbs(app, parts)
}

async function readCaseFile(db: Database, caseNumber: number, limit: number, access: Access) {
  const head = await orRefuse(404, 'no-such-case', caseHead(db, caseNumber))
  const blobs = await caseBlobs(db, caseNumber, limit)
  const cids = blobs.map(({ cid }) => cid)
  const decisions = await decisionsAbout(db, { caseNumber }, limit)
  return {
    case: head,
    blobs: blobs.map(blobForMachines),
    places: [...new Set(decisions.map(uriOf))],
    matches: (await matchesOf(db, cids, limit)).map((row) => seenBy(access, matchForMachines(row))),
    decisions: decisions
      .map((row) => seenBy(access, forMachines(row)))
      .map(({ caseNumber, ...row }) => ({ ...row, case: caseNumber })),
    actions: (await actionsAbout(db, { caseNumber }, limit)).map(forMachines),
    labels: await labelsAbout(db, { caseNumber }, limit),
    appeals: await appealsOf(db, caseNumber),
    history: await caseHistory(db, caseNumber),
  }
}

/** Without what this caller may not know of the bank. */
export function seenBy<Row extends { bank: string; distance: number; content?: number }>(
  access: Access,
  { bank, content, distance, ...row }: Row,
) {
  return {
    ...row,
    ...(may(access, 'bank:read') && { bank, ...(content !== undefined && { content }) }),
    ...(may(access, 'match:distance') && { distance }),
  }
}
