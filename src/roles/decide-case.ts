// What a person's word about a case needs besides the step: evidence that is missing, and contents of which they have to
// say which was wrong. Nothing is decided unless the answer is `decided`.
import { caseContents } from '../cases/feedback.ts'
import type { CaseContent } from '../cases/feedback.ts'
import { withoutEvidence } from '../cases/without-evidence.ts'
import type { Database } from '../db/client.ts'
import { noteFacts } from '../steps/note-facts.ts'
import { decideCase } from '../steps/withdraw.ts'
import type { CaseVerb, ContentChange, Decided } from '../steps/withdraw.ts'

/** Contents that are named; beyond these there are more. */
export const contentsNamedMax = 20

export type Word =
  | { kind: 'decided'; decided: Decided }
  /** A case from before the vault, or whose bytes could not be had: what is taken down now is kept nowhere. */
  | { kind: 'without-evidence'; blobs: number }
  /** Of several contents only a person knows which of them were wrong. */
  | { kind: 'several-contents'; contents: CaseContent[] }

/** Throws UsageError when there is no such case, or it is in a state that does not allow the verb. */
export async function takeWord(options: {
  db: Database
  caseNumber: number
  verb: CaseVerb
  principal: number
  note?: string
  change?: ContentChange
  /** A vault is there, so evidence could be. */
  hasVault: boolean
  acceptsMissingEvidence: boolean
  nowMs: number
}): Promise<Word> {
  const { db, caseNumber, verb, principal, note, change, nowMs } = options
  if (change !== undefined && 'disableUntilTs' in change && change.contents === undefined) {
    const behind = await caseContents(db, caseNumber, contentsNamedMax + 1)
    const there = behind.filter((content) => !content.removed)
    if (there.length > 1) return { kind: 'several-contents', contents: there }
  }
  if (verb === 'confirm' && options.hasVault) {
    const blobs = await withoutEvidence(db, caseNumber)
    if (blobs > 0 && !options.acceptsMissingEvidence) return { kind: 'without-evidence', blobs }
    if (blobs > 0) await noteMissing(options, blobs)
  }
  const decided = await decideCase(db, {
    caseNumber,
    verb,
    principal,
    ...(note !== undefined && { note }),
    ...(change && { change }),
    nowMs,
  })
  return { kind: 'decided', decided }
}

async function noteMissing(
  {
    db,
    caseNumber,
    principal,
    nowMs,
  }: { db: Database; caseNumber: number; principal: number; nowMs: number },
  blobs: number,
): Promise<void> {
  await noteFacts(db, [
    {
      type: 'evidence.missed',
      actor: { kind: 'person', principal },
      pub: { case: caseNumber, reason: 'confirmed-without', blobs },
      idem: `evidence.missed:case:${caseNumber}`,
      atMs: nowMs,
    },
  ])
}
