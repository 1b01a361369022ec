// The test before a content or a list goes live: what was found, and what follows from it. Pure; roles/admit.ts finds.
import type { SignalRefusal } from './new-signal.ts'

export const admissionLimits = {
  /** Above this many accounts a person types the number that the preview showed. */
  typedAccounts: 100,
} as const

/** What of the kept window would match. Counts only: this goes into the ledger, which has no fractions. */
export type SeenFacts = {
  days: number
  /** Stored blobs that were looked at; 0: nothing was seen in these days. */
  comparedBlobs: number
  /** Of a very long list only a part is compared with what was seen. */
  comparedContents: number
  blobs: number
  sightings: number
  accounts: number
  oldest: string | null
  takedowns: number
  labels: number
  /** Contents that alone match more accounts than one person may answer for. */
  overLimit: number
}

export type AdmissionResult = {
  contents: number
  /** Signals left out, by reason. */
  refused: Partial<Record<SignalRefusal, number>>
  /** Contents that a harmless picture would match. */
  harmless: number
  /** null: not compared with what was seen. */
  seen: SeenFacts | null
  /** The number that a person typed, of all that was added at once. */
  typedAccounts?: number
}

export type Verdict = 'passed' | 'waits' | 'refused'
/** `signals`: none is left. `harmless` and `accounts`: a second person. `count`: the number was not typed. */
export type Why = 'signals' | 'harmless' | 'accounts' | 'count'

/** `typedAccounts` counts all that is added at once, so it comes apart from this one's own counts. */
export function judgeContent(
  found: {
    signalsLeft: number
    harmless: boolean
    accounts: number
    accountsAtOnce: number
    typedAccounts?: number | undefined
  },
  limits: { secondPersonAccounts: number },
): { verdict: Verdict; why: Why[] } {
  if (found.signalsLeft === 0) return { verdict: 'refused', why: ['signals'] }
  const why: Why[] = []
  if (found.harmless) why.push('harmless')
  if (found.accounts > limits.secondPersonAccounts) why.push('accounts')
  if (needsCount(found.accountsAtOnce) && found.typedAccounts !== found.accountsAtOnce) {
    why.push('count')
  }
  return { verdict: why.length === 0 ? 'passed' : 'waits', why }
}

export function needsCount(accounts: number): boolean {
  return accounts > admissionLimits.typedAccounts
}

/** Whole hours that so many actions need at a permitted rate; Infinity where none is permitted. */
export function hoursAt(actions: number, perDay: number): number {
  return actions === 0 ? 0 : Math.ceil((actions * 24) / perDay)
}
