// Why something matched or did not, and what followed: every gate of a blob in an account, and what the banks of now would
// say. It names banks, so it needs bank:read; a question about a restricted bank is counted and entered.
import { createRoute, z } from '@hono/zod-openapi'
import { contentFacts } from '../../cases/explain-content.ts'
import { bankNamed, listBanks } from '../../banks/bank-store.ts'
import { accountOf, caseHead } from '../../cases/case-file.ts'
import { caseCids } from '../../cases/explain-blob.ts'
import type { Config } from '../../config.ts'
import type { Database } from '../../db/client.ts'
import type { OtherTypes } from '../../domain/other-type.ts'
import { bankNameCharsMax } from '../../domain/bank.ts'
import type { Hex } from '../../domain/blob.ts'
import type { Clock } from '../../domain/ports.ts'
import { UsageError } from '../../domain/errors.ts'
import { comparableOf, distancesOf, thresholdsFor } from '../../roles/compare-pair.ts'
import { matchNow } from '../../roles/banks-now.ts'
import { judgeStory, readStory, signalsOfStory } from '../../roles/explain-blob.ts'
import type { BlobStory } from '../../roles/explain-blob.ts'
import { contentStoryForMachines, explainContent } from '../../roles/explain-content.ts'
import type { Situation } from '../../roles/explain-now.ts'
import { storyForMachines } from '../../roles/story-for-machines.ts'
import { recordExplained } from '../../steps/explain.ts'
import { needs } from '../access.ts'
import type { BlobView } from '../blob-view.ts'
import type { Turns } from '../turns.ts'
import type { ApiApp } from './app.ts'
import { digestOfCid } from './blob-names.ts'
import { blobStateSchema, cidSchema, didSchema } from './blobs.ts'
import { body, cursor, limitUpTo, number, orRefuse, pageQuery, Refusal, text } from './declare.ts'
import { typeSchema } from './match-schema.ts'
import { refusals } from './problem-schema.ts'

export type ExplainParts = {
  db: Database
  clock: Clock
  config: Config
  others: OtherTypes
  view: BlobView
  turns: Turns
}

/** Each is compared with every signal of every bank. */
const blobsMax = 20

const any = z.record(z.string(), z.unknown())
const storySchema = z
  .object({
    cid: z.string(),
    answer: blobStateSchema,
    seen: any,
    fetch: any,
    scan: any.optional(),
    matches: z.array(any),
    decisions: z.array(any),
    case: any.optional(),
    actions: z.array(any),
    now: any,
  })
  .openapi('Story')

const route = createRoute({
  method: 'get',
  path: '/explain/blobs/{did}/{cid}',
  tags: ['Explain'],
  summary: 'How this blob of this account came through each gate, and what the banks of now say',
  middleware: [needs('case:read'), needs('bank:read'), needs('match:distance')] as const,
  request: {
    params: z.object({ did: didSchema, cid: cidSchema }),
  },
  responses: { 200: body('The story.', storySchema), ...refusals(404, 409, 422, 503) },
})

const contentSchema = z
  .object({
    id: z.int(),
    bank: z.string(),
    class: z.string(),
    mode: z.string(),
    distance: z.int().openapi({ description: "The bank's PDQ distance." }),
    since: z.iso.datetime(),
    matched: z.array(any),
    actions: z.array(any),
    distances: z.array(any).openapi({ description: 'What another distance would have matched.' }),
  })
  .catchall(z.unknown())
  .openapi('ContentStory')

const contentRoute = createRoute({
  method: 'get',
  path: '/explain/contents/{id}',
  tags: ['Explain'],
  summary: 'What this content matched, what came of it, and what another distance would match',
  middleware: [needs('case:read'), needs('bank:read'), needs('match:distance')] as const,
  request: { params: z.object({ id: number }) },
  responses: { 200: body('The story.', contentSchema), ...refusals(404, 409, 422, 503) },
})

const caseRoute = createRoute({
  method: 'get',
  path: '/explain/cases/{id}',
  tags: ['Explain'],
  summary: 'The blobs of a case, gate by gate, and what the banks of now say',
  middleware: [needs('case:read'), needs('bank:read'), needs('match:distance')] as const,
  request: {
    params: z.object({ id: number }),
    query: pageQuery.extend({ limit: limitUpTo(blobsMax).default(5) }),
  },
  responses: {
    200: body('A page of stories.', z.object({ blobs: z.array(any), cursor })),
    ...refusals(404, 409, 422, 503),
  },
})

const pairRoute = (others: OtherTypes) =>
  createRoute({
    method: 'get',
    path: '/explain/pair',
    tags: ['Explain'],
    summary: 'How far two signals or blobs are apart, and for which banks that is near enough',
    middleware: [needs('case:read'), needs('bank:read'), needs('match:distance')] as const,
    request: {
      query: z.strictObject({
        a: text.max(256).openapi({ description: 'A signal in hex or a blob CID, as it is seen.' }),
        b: text.max(256).openapi({ description: 'The same, as it is banked.' }),
        type: typeSchema(others).optional(),
        bank: text.max(bankNameCharsMax).optional(),
      }),
    },
    responses: {
      200: body(
        'Each type that both have.',
        z.object({
          distances: z.array(any),
          thresholds: z.array(any).openapi({ description: 'Of each bank.' }),
        }),
      ),
      ...refusals(404, 422, 503),
    },
  })

export function addExplain(app: ApiApp, parts: ExplainParts): void {
  const { db, clock, config, others } = parts
  app.openapi(contentRoute, async (context) => {
    const { id: content } = context.req.valid('param')
    await orRefuse(404, 'no-such-content', contentFacts(db, content))
    const { principal } = context.get('access')
    const asked = parts.turns(() =>
      explainContent(db, {
        ...{ content, keepDays: config.keepDays, nowMs: clock() },
        principal: async () => principal,
        signal: context.req.raw.signal,
      }),
    )
    const story = await orRefuse(409, 'asked-too-often', asked)
    return context.json(contentStoryForMachines(story) as never, 200)
  })
  app.openapi(caseRoute, async (context) => {
    const { id } = context.req.valid('param')
    const { limit, cursor: offset = 0 } = context.req.valid('query')
    await orRefuse(404, 'no-such-case', caseHead(db, id))
    const read = await caseCids(db, id, { limit: limit + 1, offset })
    const { principal } = context.get('access')
    const blobs = await parts.turns(async () => {
      const stories: BlobStory[] = []
      for (const cid of read.slice(0, limit)) stories.push(await readStory(db, cid))
      return tell(parts, stories, principal)
    })
    const next = read.length > limit ? { cursor: String(offset + limit) } : {}
    return context.json({ blobs, ...next } as never, 200)
  })
  app.openapi(pairRoute(others), async (context) => {
    const { a, b, type, bank } = context.req.valid('query')
    const banks =
      bank === undefined
        ? await listBanks(db)
        : [await orRefuse(404, 'no-such-bank', bankNamed(db, bank))]
    // The command's own sentence repeats what was typed, which is a signal here.
    const comparable = (name: string, what: string) =>
      comparableOf(db, what, { type, others }).catch((error: unknown) => {
        if (!(error instanceof UsageError)) throw error
        const wanted = type === undefined ? 'a signal' : `a signal of type ${type}`
        const sentence = `${name} has to be ${wanted} in hex, of its full length, or the CID of a blob.`
        throw new Refusal(422, 'invalid-fields', sentence)
      })
    const distances = distancesOf(await comparable('a', a), await comparable('b', b))
    const thresholds = distances.flatMap((one) => thresholdsFor(one, banks, others))
    // Without the hashes themselves.
    const shown = distances.map(({ type, distance, variant }) => ({
      ...{ type, distance },
      ...(variant && { variant }),
    }))
    return context.json({ distances: shown, thresholds } as never, 200)
  })
  app.openapi(route, async (context) => {
    const { did, cid } = context.req.valid('param')
    const digest = digestOfCid(cid)
    if (digest === undefined) throw new Refusal(422, 'invalid-fields', 'cid is no CID of a blob.')
    const { principal } = context.get('access')
    const story = await parts.turns(() => explain(parts, { did, digest, principal }))
    const row = await parts.view.one({ did, digest })
    const since = row.since?.toISOString()
    const answer = { did, cid, state: row.state, reason: row.reason, ...(since && { since }) }
    return context.json({ ...story, answer } as never, 200)
  })
}

async function explain(
  parts: ExplainParts,
  { did, digest, principal }: { did: string; digest: Hex; principal: number },
): Promise<object> {
  const account = await accountOf(parts.db, did)
  const story = ofAccount(await readStory(parts.db, digest), account?.id)
  if (story.scan === undefined && story.seen.sightings === 0 && story.openScan === undefined)
    throw new Refusal(
      404,
      'nothing-known',
      'Nothing is known about this blob: it was never seen here, or is forgotten.',
    )
  const [told] = await tell(parts, [story], principal)
  if (told === undefined) throw new TypeError('one story is told')
  return told
}

async function tell(
  { db, clock, config, others }: ExplainParts,
  stories: readonly BlobStory[],
  principal: number,
): Promise<object[]> {
  const nowMs = clock()
  const now = await matchNow({ db, blobs: stories.map(signalsOfStory), others, nowMs })
  const restricted = [
    ...stories
      .flatMap(({ matches }) => matches)
      .filter((one) => one.class === 'restricted' || one.confidential),
    ...now.matches.flat().flatMap(({ bankId, contentId }) => {
      const bank = now.banks.get(bankId)
      return bank?.class === 'restricted' || bank?.confidential === true
        ? [{ content: contentId }]
        : []
    }),
  ].map(({ content }) => content)
  const asked = recordExplained(db, { principal, contents: restricted, nowMs })
  await orRefuse(409, 'asked-too-often', asked)
  const situation: Situation = {
    deploymentMode: config.mode,
    canLabel: config.labeler !== undefined,
    canPreserve: config.evidence !== undefined,
    administered: config.pds !== undefined,
  }
  const told: object[] = []
  for (const [at, story] of stories.entries()) {
    const judged = await judgeStory(db, story, { now, at, situation, nowMs })
    told.push(storyForMachines({ story, now: judged, bits: new Map() }))
  }
  return told
}

/** What was decided and done in this account; what is known of the bytes is the same everywhere. */
function ofAccount(story: BlobStory, account: number | undefined): BlobStory {
  return {
    ...story,
    decisions: story.decisions.filter((row) => row.account === account),
    actions: story.actions.filter((row) => row.account === account),
  }
}
