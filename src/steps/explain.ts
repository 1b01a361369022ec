// Step explained: a question about a restricted bank is counted, limited and entered in one statement.
import type { Database } from '../db/client.ts'
import { callStep } from '../db/client.ts'

export const explainLimits = { questionsPerHour: 60 } as const

/**
 * Before the answer is given. `contents`: of restricted banks; none: nothing is recorded. Throws UsageError that says when
 * the next may be asked.
 */
export async function recordExplained(
  db: Database,
  input: { principal: number; contents: readonly number[]; nowMs: number },
): Promise<void> {
  const contents = [...new Set(input.contents)].toSorted((a, b) => a - b)
  if (contents.length === 0) return
  await callStep(db, 'explained_v1', {
    principal: input.principal,
    contents,
    perHour: explainLimits.questionsPerHour,
    now: new Date(input.nowMs),
  })
}
