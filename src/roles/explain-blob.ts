// All that is known about how a blob came through the gates, and what the banks of now would say: read together.
import { actionsAbout, decisionsAbout } from '../cases/about.ts'
import type { ActionRow, DecisionRow } from '../cases/about.ts'
import { caseHead, caseHistory, caseOf, openScan } from '../cases/case-file.ts'
import type { CaseEvent, CaseHead, OpenScan } from '../cases/case-file.ts'
import {
  distinctPlaces,
  fetchTries,
  matchFacts,
  seenFacts,
  storedScan,
} from '../cases/explain-blob.ts'
import type { FetchTry, MatchFacts, SeenFacts, StoredScan } from '../cases/explain-blob.ts'
import type { Database } from '../db/client.ts'
import type { Hex, Signals } from '../domain/blob.ts'
import { signalsOf } from '../domain/stored-signals.ts'
import type { BanksNow } from './banks-now.ts'
import { differences, judge } from './explain-now.ts'
import type { JudgedNow, Situation } from './explain-now.ts'

/** Rows of each gate that are read. */
export const explainRows = 100

export type BlobStory = {
  cid: Hex
  seen: SeenFacts
  openScan: OpenScan | undefined
  tries: FetchTry[]
  scan: StoredScan | undefined
  matches: MatchFacts[]
  decisions: DecisionRow[]
  actions: ActionRow[]
  caseFile: { head: CaseHead; history: CaseEvent[] } | undefined
}

export async function readStory(db: Database, cid: Hex): Promise<BlobStory> {
  const caseNumber = await caseOf(db, cid)
  return {
    cid,
    seen: await seenFacts(db, cid),
    openScan: await openScan(db, cid),
    tries: await fetchTries(db, cid),
    scan: await storedScan(db, cid),
    matches: await matchFacts(db, cid, explainRows),
    decisions: await decisionsAbout(db, { cid }, explainRows),
    actions: await actionsAbout(db, { cid }, explainRows),
    caseFile:
      caseNumber === undefined
        ? undefined
        : { head: await caseHead(db, caseNumber), history: await caseHistory(db, caseNumber) },
  }
}

/** What of the blob can be compared: its name is its sha2-256 digest, whether it was scanned or not. */
export function signalsOfStory({ cid, scan }: BlobStory): Signals {
  return scan === undefined ? { sha256: cid } : signalsOf(cid, scan.signals)
}

export type NowStory = JudgedNow & { generation: number; differences: string[] }

/** `at`: which of the blobs that `now` was asked about this is. */
export async function judgeStory(
  db: Database,
  story: BlobStory,
  { now, at, situation, nowMs }: { now: BanksNow; at: number; situation: Situation; nowMs: number },
): Promise<NowStory> {
  const judged = judge(
    {
      sha256: story.cid,
      matches: now.matches[at] ?? [],
      banks: now.banks,
      places: await distinctPlaces(db, story.cid, explainRows),
    },
    situation,
  )
  return {
    ...judged,
    generation: now.generation,
    differences: differences(story, judged, now.banks, nowMs),
  }
}
