// Banks and contents as HMA shows them, read from the database, and what only HMA's interface changes.
//
// Promises: a bank that was removed is not there; values leave only for banks that are not confidential; every change is one
// statement with its ledger intake.
import { parsePolicy } from '../../banks/bank-policy.ts'
import { toBank } from '../../banks/bank-store.ts'
import type { BankRow } from '../../banks/bank-store.ts'
import { ask, callStep } from '../../db/client.ts'
import type { Database } from '../../db/client.ts'
import type { Bank } from '../../domain/bank.ts'
import { bankNamePattern, removalContentsMax } from '../../domain/bank.ts'
import type { AnySignalType, Hex } from '../../domain/blob.ts'
import { quoted, refuse } from './answers.ts'

export type HmaBank = { name: string; matching_enabled_ratio: number }

export function shown(bank: Pick<Bank, 'name' | 'policy'>): HmaBank {
  return { name: bank.name, matching_enabled_ratio: bank.policy.ratio }
}

export async function allBanks(db: Database): Promise<Bank[]> {
  const rows = await ask(
    'list the banks',
    db<BankRow[]>`
      select id, name, mode, class, confidential, policy, policy_version from bank
      where removed_at is null order by id`,
  )
  return rows.map(toBank)
}

/** 404 where there is none. */
export async function bankHere(
  db: Database,
  name: string,
  otherwise = `bank ${quoted(name)} not found`,
): Promise<Bank> {
  const missing = () => refuse(404, otherwise)
  if (!bankNamePattern.test(name)) return missing()
  const [row] = await ask(
    'find the bank',
    db<BankRow[]>`
      select id, name, mode, class, confidential, policy, policy_version from bank
      where name = ${name} and removed_at is null`,
  )
  return row === undefined ? missing() : toBank(row)
}

export type Author = { principal: number; nowMs: number }

export async function editBank(
  db: Database,
  bank: Bank,
  change: { name?: string; ratio?: number } & Author,
): Promise<void> {
  const { version: _, ...policy } = bank.policy
  await callStep(db, 'change_hma_v1', {
    op: 'bank.edit',
    name: bank.name,
    to: change.name,
    policy:
      change.ratio === undefined || change.ratio === policy.ratio
        ? undefined
        : parsePolicy({ ...policy, ratio: change.ratio }, bank.class, bank.id),
    principal: change.principal,
    now: new Date(change.nowMs),
  })
}

/** Of a bank that is not there it does nothing. Throws UsageError where it has more contents than `removalContentsMax`. */
export async function removeBank(db: Database, name: string, author: Author): Promise<void> {
  if (!bankNamePattern.test(name)) return
  await callStep(db, 'change_hma_v1', {
    op: 'bank.remove',
    name,
    contentsMax: removalContentsMax,
    principal: author.principal,
    now: new Date(author.nowMs),
  })
}

export async function editContent(
  db: Database,
  change: { bank: string; content: number; disableUntilTs?: number; note?: string } & Author,
): Promise<void> {
  const { bank, nowMs, ...rest } = change
  await callStep(db, 'change_hma_v1', {
    op: 'content.edit',
    name: bank,
    ...rest,
    now: new Date(nowMs),
  })
}

export type StoredContent = {
  id: number
  disableUntilTs: number
  note: string | null
  metadata: Record<string, unknown> | null
  signals: { type: AnySignalType; value: Hex }[]
  /** The exchange that it came from, and its number there. */
  exchange: string | null
  fetchId: string | null
}

/** undefined: the bank has no such content. */
export async function contentIn(
  db: Database,
  bank: Bank,
  content: number,
): Promise<StoredContent | undefined> {
  if (content > idMax) return undefined
  const [row] = await ask(
    'read a bank content',
    db<StoredContent[]>`
      select c.id, c.disable_until_ts as "disableUntilTs", c.note, c.metadata,
        coalesce(c.provenance#>>'{hma,exchange}', c.provenance->>'exchange') as exchange,
        coalesce(c.provenance#>>'{hma,fetchId}', c.provenance->>'fetchId') as "fetchId",
        coalesce((select jsonb_agg(jsonb_build_object('type', s.type, 'value', encode(s.value, 'hex')) order by s.id)
          from bank_signal s where s.content = c.id and s.state = 'live' and not ${bank.confidential}), '[]') as signals
      from bank_content c where c.id = ${content} and c.bank = ${bank.id} and c.removed_at is null`,
  )
  return row
}

/** The largest a number of ours can be. */
const idMax = 2_147_483_647
