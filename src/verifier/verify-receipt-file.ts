// One receipt: what was done to an account, read from the entries that it proves and from nothing else.
import { textOf } from '../ledger/bytes.ts'
import { checkReceipt } from '../ledger/receipt.ts'
import type { ReceiptFacts } from '../ledger/receipt.ts'
import { keysFor, originOf, quorumTime } from './trust.ts'
import type { Trust } from './trust.ts'
import type { Verdict } from './verify-bundle.ts'

export type ReceiptReport = {
  verdict: Verdict
  /** What does not hold, or is missing. */
  problem: string | undefined
  facts: ReceiptFacts | undefined
  /** When the quorum of witnesses had seen it, if one is asked for. */
  anchoredAt: string | undefined
}

/** The report, or in words why there can be none. */
export function verifyReceiptFile(input: {
  receipt: Uint8Array
  trust: Trust
}): ReceiptReport | { usage: string } {
  const { trust } = input
  const checked = checkReceipt(textOf(input.receipt) ?? '', (note) =>
    keysFor(trust, originOf(note)),
  )
  if (checked.kind === 'unreadable') return { usage: checked.problem }
  if (checked.kind !== 'holds')
    return {
      verdict: checked.kind === 'false' ? 'tampered' : 'incomplete',
      problem: checked.problem,
      facts: undefined,
      anchoredAt: undefined,
    }
  const { verdict } = checked.signed
  const atSeconds = verdict.kind === 'verified' ? quorumTime(trust, verdict.by) : undefined
  const isShort = trust.quorum !== 'none' && atSeconds === undefined
  return {
    verdict: isShort ? 'incomplete' : 'true',
    problem: isShort ? `its checkpoint does not meet the quorum (${trust.quorum})` : undefined,
    facts: checked.facts,
    anchoredAt: atSeconds === undefined ? undefined : new Date(atSeconds * 1000).toISOString(),
  }
}

export function receiptSentence({ verdict, problem, facts }: ReceiptReport): string {
  if (facts === undefined || verdict === 'tampered') return problem ?? 'the receipt does not hold'
  const { kind, applied, outcome, doneAt, log, size } = facts
  const what = `${applied ? '' : 'the taking back of '}${kind}: ${outcome} at ${doneAt}, in the first ${size} entries of ${log}`
  return problem === undefined ? what : `${problem}; ${what}`
}

/** A fact a line, as the entries have them. */
export function receiptLines({ facts, anchoredAt }: ReceiptReport): string[] {
  if (facts === undefined) return []
  const opened = Object.entries(facts.opened).map(([field, value]) => `  ${field}: ${value}`)
  return [
    '',
    ...opened,
    `  intended: ${facts.intendedAt}, ${facts.byPerson ? 'decided by a person' : 'by the policy'}`,
    `  class of the rule: ${facts.class}`,
    ...(anchoredAt === undefined ? [] : [`  witnessed: ${anchoredAt}`]),
  ]
}
