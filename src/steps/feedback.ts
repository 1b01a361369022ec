// Step feedback: a person says of a picture what it is. Kept for the exchanges; it acts on nothing by itself.
import type { Hex } from '../domain/blob.ts'
import type { Database } from '../db/client.ts'
import { callStep } from '../db/client.ts'

export const feedbackVerdicts = ['harmful', 'not-harmful'] as const
export type FeedbackVerdict = (typeof feedbackVerdicts)[number]

export type GivenFeedback = {
  feedback: number
  /** null: harmful, and said of no bank's content. */
  content: number | null
  /** false: the same person said the same before. */
  given: boolean
}

/**
 * Marks the content as reviewed, if there is one. Not harmful is said of a match: without `content` of the only one.
 * Throws UsageError when the content did not match the blob, or which one is meant must be said. Idempotent.
 */
export async function giveFeedback(
  db: Database,
  input: {
    /** sha2-256 digest. */
    blob: Hex
    verdict: FeedbackVerdict
    content?: number
    note?: string
    principal: number
    nowMs: number
  },
): Promise<GivenFeedback> {
  const [row] = await callStep<GivenFeedback[]>(db, 'give_feedback_v1', {
    now: new Date(input.nowMs),
    blob: input.blob,
    verdict: input.verdict,
    content: input.content,
    note: input.note,
    principal: input.principal,
  })
  if (row === undefined) throw new TypeError('give_feedback_v1 answers with one row')
  return row
}
