// explain --blob and --case: every gate from the first sight to the action, and the banks of now.
import { caseCids } from '../cases/explain-blob.ts'
import type { MatchFacts } from '../cases/explain-blob.ts'
import { pausesInForce } from '../cases/pauses.ts'
import type { PauseRow } from '../cases/pauses.ts'
import type { Hex } from '../domain/blob.ts'
import { blobCidOf, blobDigest } from '../domain/cid.ts'
import { UsageError } from '../domain/errors.ts'
import { matchNow } from '../roles/banks-now.ts'
import { judgeStory, readStory, signalsOfStory } from '../roles/explain-blob.ts'
import type { BlobStory, NowStory } from '../roles/explain-blob.ts'
import type { Situation } from '../roles/explain-now.ts'
import { storyForMachines } from '../roles/story-for-machines.ts'
import { recordExplained } from '../steps/explain.ts'
import type { ExplainOptions } from './explain.ts'
import { bitsOfMatches } from './explain-bits.ts'
import { printStory } from './explain-story.ts'
import { caseHead } from '../cases/case-file.ts'
import type { Io } from './io.ts'
import { printJson } from './output.ts'
import { onPage, parsePage, tellMore } from './paging.ts'
import type { Page } from './paging.ts'
import { parseCase } from './case-show.ts'
import { scanProgress } from './scan-progress.ts'
import { withSession } from './session.ts'
import type { CommandSession } from './session.ts'

export type Explained = {
  story: BlobStory
  now: NowStory
  /** Pictures of the differing bits by signal id, where they were asked for and may be shown. */
  bits: ReadonlyMap<number, string[]>
}

export async function explainBlobs(io: Io, options: ExplainOptions): Promise<void> {
  const page = parsePage(options)
  await withSession(io, async (session) => {
    const { cids, more } = await cidsOf(session, options, page)
    const pauses = await pausesInForce(session.db)
    const explained = await explainAll(io, session, cids, options.bits === true)
    if (options.json === true) {
      const blobs = explained.map(storyForMachines)
      printJson(io, {
        blobs,
        pauses,
        ...(options.case !== undefined && { page: page.number, more }),
      })
      return
    }
    for (const [index, one] of explained.entries()) {
      if (index > 0) io.out('')
      printStory(io, one, { pauses: pauses.map(pauseInWords), limits: session.config.limits })
    }
    tellMore(io, page, more)
  })
}

async function explainAll(
  io: Io,
  session: CommandSession,
  cids: Hex[],
  withBits: boolean,
): Promise<Explained[]> {
  const { db, config, nowMs } = session
  const stories: BlobStory[] = []
  for (const cid of cids) stories.push(await readStory(db, cid))
  const now = await matchNow({
    db,
    blobs: stories.map(signalsOfStory),
    others: session.others(),
    nowMs: nowMs(),
    onProgress: scanProgress(io, 'bank signals compared'),
    signal: io.stop,
  })
  const restricted = [
    ...stories.flatMap((story) => story.matches.filter(isRestricted).map((one) => one.content)),
    ...now.matches.flat().flatMap((one) => {
      const bank = now.banks.get(one.bankId)
      return bank?.class === 'restricted' || bank?.confidential === true ? [one.contentId] : []
    }),
  ]
  if (restricted.length > 0) {
    const principal = await session.principal()
    await recordExplained(db, { principal, contents: restricted, nowMs: nowMs() })
  }
  const situation: Situation = {
    deploymentMode: config.mode,
    canLabel: config.labeler !== undefined,
    canPreserve: config.evidence !== undefined,
    administered: config.pds !== undefined,
  }
  const explained: Explained[] = []
  for (const [at, story] of stories.entries()) {
    const judged = await judgeStory(db, story, { now, at, situation, nowMs: nowMs() })
    const bits = withBits
      ? await bitsOfMatches(db, story, now.matches[at] ?? [], now.banks)
      : new Map()
    explained.push({ story, now: judged, bits })
  }
  return explained
}

async function cidsOf(
  { db }: CommandSession,
  options: ExplainOptions,
  page: Page,
): Promise<{ cids: Hex[]; more: boolean }> {
  if (options.case !== undefined) {
    const caseNumber = parseCase(options.case)
    await caseHead(db, caseNumber)
    const { limit, offset } = page
    const { rows, more } = onPage(
      await caseCids(db, caseNumber, { limit: limit + 1, offset }),
      page,
    )
    return { cids: rows, more }
  }
  const cid = blobDigest(options.blob ?? '')
  if (cid === undefined) throw new UsageError('--blob takes a blob CID (bafkrei…)')
  const story = await readStory(db, cid)
  if (story.scan === undefined && story.seen.sightings === 0 && story.openScan === undefined)
    throw new UsageError(`nothing is known about ${blobCidOf(cid)}`)
  return { cids: [cid], more: false }
}

export function isRestricted(match: Pick<MatchFacts, 'class' | 'confidential'>): boolean {
  return match.class === 'restricted' || match.confidential
}

function pauseInWords({ scope, target, by, reason }: PauseRow): string {
  const what =
    scope === 'all' ? 'all actions are' : scope === 'bank' ? `bank ${target} is` : `${target} is`
  return `${what} stopped by ${by}: ${reason}`
}
