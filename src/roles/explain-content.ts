// What a bank content is, what it matched, what came of it, and what another distance would match. Asked about a restricted
// or confidential bank it is counted and entered first.
import { bankOfHistory } from '../banks/bank-store.ts'
import { actionsCaused, contentFacts, matchBands } from '../cases/explain-content.ts'
import type { CausedActions, ContentFacts, MatchBand } from '../cases/explain-content.ts'
import type { Database } from '../db/client.ts'
import type { Bank } from '../domain/bank.ts'
import { recordExplained } from '../steps/explain.ts'
import { distanceTable } from './distance-table.ts'
import type { DistanceRow } from './distance-table.ts'
import { windowStart } from './seen-window.ts'

const daysBack = 30

export type ContentStory = {
  facts: ContentFacts
  bank: Bank
  days: number
  since: Date
  matched: MatchBand[]
  actions: CausedActions[]
  distances: DistanceRow[]
}

/** Throws UsageError when there is no such content, or when too much was asked about what nobody may walk towards. */
export async function explainContent(
  db: Database,
  asked: {
    content: number
    principal: () => Promise<number>
    keepDays: number
    nowMs: number
    onProgress?: Parameters<typeof distanceTable>[0]['onProgress']
    signal: AbortSignal
  },
): Promise<ContentStory> {
  const { content, nowMs, onProgress, signal } = asked
  const facts = await contentFacts(db, content)
  const bank = await bankOfHistory(db, facts.bank)
  if (bank.class === 'restricted' || bank.confidential)
    await recordExplained(db, { principal: await asked.principal(), contents: [content], nowMs })
  const days = Math.min(daysBack, asked.keepDays)
  const since = windowStart(days, nowMs)
  return {
    ...{ facts, bank, days, since },
    matched: await matchBands(db, content, since),
    actions: await actionsCaused(db, content, since),
    distances: await distanceTable({
      ...{ db, content, since, signal },
      own: bank.policy.pdqDistanceMax,
      ...(onProgress && { onProgress }),
    }),
  }
}

export function contentStoryForMachines(story: ContentStory): object {
  const { facts, bank, since, matched, actions, distances } = story
  const { class: bankClass, mode } = bank
  const what = { ...facts, class: bankClass, mode, distance: bank.policy.pdqDistanceMax, since }
  return { ...what, matched, actions, distances }
}
