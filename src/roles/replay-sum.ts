// Adds up what a policy would have done: blobs, accounts, actions by day, and contents over the flood limit.
import type { ReplayPlace } from '../cases/replay.ts'
import type { ActionKind } from '../domain/bank.ts'
import type { Hex } from '../domain/blob.ts'
import type { Decision } from '../domain/decide.ts'

export type ReplaySum = {
  /** Blobs of which a match counts, and those of which none does because all were set aside. */
  matched: number
  setAside: number
  /** Blobs with at least one place that was decided so. A blob may be in several. */
  observed: number
  held: number
  acted: number
  /** With at least one place that was acted on, and held. */
  accountsActed: number
  accountsHeld: number
  /** Subjects, each once a kind: done at once, and left to a person. */
  actions: Record<'acted' | 'held', Partial<Record<ActionKind, number>>>
  /** What is done at once, by the day (UTC) on which the place was first seen. */
  days: { day: string; actions: number }[]
  /** Contents that alone would have caused more on one day than a content may: the rest would have been held. */
  floods: number
}

export function createReplaySum({ actionsPerContent }: { actionsPerContent: number }) {
  const count = { matched: 0, setAside: 0 }
  const blobs = { observed: new Set<Hex>(), held: new Set<Hex>(), acted: new Set<Hex>() }
  const accounts = {
    observed: new Set<number>(),
    held: new Set<number>(),
    acted: new Set<number>(),
  }
  const subjects = { held: new Set<string>(), acted: new Set<string>() }
  const actions: ReplaySum['actions'] = { acted: {}, held: {} }
  const days = new Map<string, number>()
  const causes = new Map<string, number>()
  return {
    addBlob(_cid: Hex, counts: boolean, isSetAside: boolean): void {
      if (counts) count.matched += 1
      else if (isSetAside) count.setAside += 1
    },
    addDecision(cid: Hex, place: ReplayPlace, decision: Decision): void {
      const { outcome } = decision
      blobs[outcome].add(cid)
      accounts[outcome].add(place.account)
      if (outcome === 'observed') return
      const day = place.at.slice(0, 10)
      for (const kind of decision.wants) {
        const subject = subjectOf(kind, cid, place)
        if (subjects[outcome].has(subject)) continue
        subjects[outcome].add(subject)
        actions[outcome][kind] = (actions[outcome][kind] ?? 0) + 1
        if (outcome === 'held') continue
        days.set(day, (days.get(day) ?? 0) + 1)
        for (const content of decision.contents) {
          const key = `${day} ${content}`
          causes.set(key, (causes.get(key) ?? 0) + 1)
        }
      }
    },
    end(): ReplaySum {
      const over = [...causes].filter(([, caused]) => caused > actionsPerContent)
      return {
        ...count,
        observed: blobs.observed.size,
        held: blobs.held.size,
        acted: blobs.acted.size,
        accountsActed: accounts.acted.size,
        accountsHeld: accounts.held.size,
        actions,
        days: [...days]
          .map(([day, done]) => ({ day, actions: done }))
          .toSorted((a, b) => (a.day < b.day ? -1 : 1)),
        floods: new Set(over.map(([key]) => key.split(' ')[1])).size,
      }
    },
  }
}

function subjectOf(kind: ActionKind, cid: Hex, { account, collection, rkey }: ReplayPlace): string {
  return kind === 'takedown-blob'
    ? `${kind} ${account} ${cid}`
    : `${kind} ${account} ${collection}/${rkey}`
}
