// What was planned and what came of it, by kind, from intents and results.
import type { Intent, Tally } from './tally.ts'

export const actionOutcomes = ['done', 'refused', 'dead', 'superseded'] as const
type Outcome = (typeof actionOutcomes)[number]

/** `undo`: takes an earlier action back. */
export type ActionSum = {
  kind: string
  undo: boolean
  planned: number
  /** Of those planned: after a person's word. */
  byPerson: number
  /** Of those planned: without a result when the period ended. */
  openAtEnd: number
} & Record<Outcome, number>

/** Results of the period whose intent is not in it. */
export function actionsToLookUp(tally: Tally): number[] {
  return tally.results.map(({ action }) => action).filter((action) => !tally.intents.has(action))
}

/** `earlier`: of intents written before the period; absent: it was only held, and never had an intent. */
export function sumActions(tally: Tally, earlier: ReadonlyMap<number, Intent>): ActionSum[] {
  const sums = new Map<string, ActionSum>()
  const sumFor = (intent: Intent | undefined) => {
    const kind = intent?.kind ?? 'only held'
    const undo = intent !== undefined && !intent.applied
    const sum = sums.get(`${kind} ${undo}`) ?? emptySum(kind, undo)
    sums.set(`${kind} ${undo}`, sum)
    return sum
  }
  const ended = new Set(tally.results.map(({ action }) => action))
  for (const [action, intent] of tally.intents) {
    const sum = sumFor(intent)
    sum.planned += 1
    if (intent.byPerson) sum.byPerson += 1
    if (!ended.has(action)) sum.openAtEnd += 1
  }
  for (const { action, outcome } of tally.results) {
    const sum = sumFor(tally.intents.get(action) ?? earlier.get(action))
    const known = actionOutcomes.find((one) => one === outcome)
    if (known !== undefined) sum[known] += 1
  }
  return [...sums.values()].toSorted(
    (a, b) => Number(a.undo) - Number(b.undo) || (a.kind < b.kind ? -1 : 1),
  )
}

function emptySum(kind: string, undo: boolean): ActionSum {
  return {
    kind,
    undo,
    planned: 0,
    byPerson: 0,
    openAtEnd: 0,
    done: 0,
    refused: 0,
    dead: 0,
    superseded: 0,
  }
}
