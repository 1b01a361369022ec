// Why something matched or did not, and what followed: every gate of a blob in an account, and what the banks of now would
// say. It names banks, so it needs bank:read; a question about a restricted bank is counted and entered.
import { createRoute, z } from '@hono/zod-openapi'
import { contentFacts } from '../../cases/explain-content.ts'
import { accountOf } from '../../cases/case-file.ts'
import type { Config } from '../../config.ts'
import type { Database } from '../../db/client.ts'
import type { Hex } from '../../domain/blob.ts'
import type { Clock } from '../../domain/ports.ts'
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
import { cidPattern, didPattern, digestOfCid } from './blob-names.ts'
import { blobStateSchema } from './blobs.ts'
import { body, number, orRefuse, Refusal } from './declare.ts'
import { refusals } from './problem-schema.ts'

export type ExplainParts = {
  db: Database
  clock: Clock
  config: Config
  view: BlobView
  turns: Turns
}

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
    params: z.object({ did: z.string().regex(didPattern), cid: z.string().regex(cidPattern) }),
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

export function addExplain(app: ApiApp, parts: ExplainParts): void {
  const { db, clock, config } = parts
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
  app.openapi(route, async (context) => {
    const { did, cid } = context.req.valid('param')
    const digest = digestOfCid(cid)
    if (digest === undefined) throw new Refusal(422, 'invalid-fields', 'Write a DID and a CID.')
    const { principal } = context.get('access')
    const story = await parts.turns(() => explain(parts, { did, digest, principal }))
    const row = await parts.view.one({ did, digest })
    const since = row.since?.toISOString()
    const answer = { did, cid, state: row.state, reason: row.reason, ...(since && { since }) }
    return context.json({ ...story, answer } as never, 200)
  })
}

async function explain(
  { db, clock, config }: ExplainParts,
  { did, digest, principal }: { did: string; digest: Hex; principal: number },
): Promise<object> {
  const account = await accountOf(db, did)
  const story = ofAccount(await readStory(db, digest), account?.id)
  if (story.scan === undefined && story.seen.sightings === 0 && story.openScan === undefined)
    throw new Refusal(404, 'nothing-known', 'Nothing is known about this blob.')
  const nowMs = clock()
  const now = await matchNow({ db, blobs: [signalsOfStory(story)], nowMs })
  const restricted = [
    ...story.matches.filter((one) => one.class === 'restricted' || one.confidential),
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
  const judged = await judgeStory(db, story, { now, at: 0, situation, nowMs })
  return storyForMachines({ story, now: judged, bits: new Map() })
}

/** What was decided and done in this account; what is known of the bytes is the same everywhere. */
function ofAccount(story: BlobStory, account: number | undefined): BlobStory {
  return {
    ...story,
    decisions: story.decisions.filter((row) => row.account === account),
    actions: story.actions.filter((row) => row.account === account),
  }
}
