// What of the ledger is asked for, as conditions on entries: names become numbers here, once.
import { bankOfHistory } from '../banks/bank-store.ts'
import { actionBegan, linksOfCase, principalNamed, seqsOfActions } from '../cases/entry-links.ts'
import type { Database } from '../db/client.ts'
import { UsageError } from '../domain/errors.ts'
import type { Condition, ReadEntry } from '../ledger/find-entries.ts'
import { seqAtTime } from '../ledger/find-entries.ts'

export type LedgerFilter = {
  /** `case.confirm`, or `case.*` for all that begin so. */
  types?: readonly string[] | undefined
  case?: number | undefined
  bank?: string | undefined
  action?: number | undefined
  /** A name, `p3`, or `system`. */
  actor?: string | undefined
}

/** How far the clock of whoever wrote a row may be ahead of the sequencer's. */
const clockSkewMs = 600_000

const typePattern = /^[a-z][a-z0-9.-]*\*?$/

/** Throws UsageError when something is named that is not there. */
export async function ledgerConditions(db: Database, filter: LedgerFilter): Promise<Condition[]> {
  const conditions: Condition[] = []
  if (filter.types !== undefined) conditions.push(ofType(filter.types))
  if (filter.case !== undefined) conditions.push(await ofCase(db, filter.case))
  if (filter.bank !== undefined)
    conditions.push(ofBank(`b${(await bankOfHistory(db, filter.bank)).id}`))
  if (filter.action !== undefined) conditions.push(await ofAction(db, filter.action))
  if (filter.actor !== undefined) conditions.push(await ofActor(db, filter.actor))
  return conditions
}

/** No entry that holds comes before this one. */
export async function firstThatMayHold(
  db: Database,
  conditions: readonly Condition[],
  size: number,
): Promise<number> {
  const began = conditions.flatMap(({ notBefore }) => notBefore?.getTime() ?? [])
  if (began.length === 0) return 0
  const firstMs = Math.max(0, ...began.map((ms) => ms - clockSkewMs))
  return seqAtTime(db, new Date(firstMs), size)
}

function ofType(words: readonly string[]): Condition {
  for (const word of words) {
    if (!typePattern.test(word))
      throw new UsageError(
        `'${word}' is no type of an entry: case.confirm, or case.* for all of them`,
      )
  }
  const exact = words.filter((word) => !word.endsWith('*'))
  const prefixes = words.filter((word) => word.endsWith('*')).map((word) => word.slice(0, -1))
  return {
    needles: [
      ...exact.map((word) => `"type":"${word}"`),
      ...prefixes.map((word) => `"type":"${word}`),
    ],
    seqs: new Set(),
    test: ({ type }) => exact.includes(type) || prefixes.some((prefix) => type.startsWith(prefix)),
  }
}

/** The case's own entries, and its decisions and their actions. */
async function ofCase(db: Database, caseNumber: number): Promise<Condition> {
  const links = await linksOfCase(db, caseNumber)
  const decisions = new Set(links.decisions)
  const actions = new Set(links.actions)
  return {
    needles: [`"case":${caseNumber}`, `"into":${caseNumber}`],
    seqs: new Set(links.seqs),
    notBefore: links.began,
    test: ({ type, pub }) => {
      if (pub['case'] === caseNumber || pub['into'] === caseNumber) {
        if (type === 'decision') decisions.add(Number(pub['decision']))
        return true
      }
      if (type === 'action.intent' && decisions.has(Number(pub['decision'])))
        actions.add(Number(pub['action']))
      return actions.has(Number(pub['action']))
    },
  }
}

function ofBank(bank: string): Condition {
  return {
    needles: [`"${bank}"`],
    seqs: new Set(),
    test: ({ pub }) => [pub['bank'], pub['toBank'], pub['target']].includes(bank),
  }
}

async function ofAction(db: Database, action: number): Promise<Condition> {
  const began = await actionBegan(db, action)
  if (began === undefined) throw new UsageError(`there is no action ${action}`)
  return {
    notBefore: began,
    needles: [`"action":${action}`, `"before":${action}`],
    seqs: new Set(await seqsOfActions(db, [action])),
    test: ({ type, pub }) =>
      pub['action'] === action || (type === 'action.retried' && pub['before'] === action),
  }
}

/** `system`, `p3`, `3` or a name. */
async function ofActor(db: Database, text: string): Promise<Condition> {
  if (text === 'system') {
    return {
      needles: ['"kind":"system"'],
      seqs: new Set(),
      test: ({ actor }: ReadEntry) => actor.kind === 'system' && actor.principal === undefined,
    }
  }
  const [, digits] = /^p?(\d{1,9})$/.exec(text) ?? []
  const principal = digits === undefined ? await principalNamed(db, text) : Number(digits)
  if (principal === undefined) {
    throw new UsageError(
      'nobody is registered under that name: a name, a number like p3, or system',
    )
  }
  return {
    needles: [`"principal":${principal}`],
    seqs: new Set(),
    test: ({ actor }) => actor.principal === principal,
  }
}
