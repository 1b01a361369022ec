// Which ledger entries are about a case, an account, a record or a blob, as far as tables know: candidates for a search.
import type { Database } from '../db/client.ts'
import { ask } from '../db/client.ts'
import type { Hex } from '../domain/blob.ts'
import { UsageError } from '../domain/errors.ts'

export const linkLimits = { actions: 100_000, keptPerPage: 5_000 } as const

export type ActionLinks = {
  decisions: number[]
  actions: number[]
  seqs: number[]
  /** The first that happened. */
  began: Date
}

/** Decisions of a case, the actions that they planned, and the entries of those. Throws UsageError: there is no such case. */
export async function linksOfCase(db: Database, caseNumber: number): Promise<ActionLinks> {
  const [found] = await ask(
    'find the case',
    db<{ began: Date }[]>`
      select least(c.opened_at, (select min(d.at) from decision d where d.case_file = c.id)) as began
      from case_file c where c.id = ${caseNumber}`,
  )
  if (found === undefined) throw new UsageError(`there is no case ${caseNumber}`)
  const rows = await ask(
    'find what belongs to the case',
    db<LinkRow[]>`
      select d.id as decision, a.id as action, a.intent_seq as intent, a.result_seq as result
      from decision d left join action a on a.decision = d.id
      where d.case_file = ${caseNumber} order by d.id limit ${linkLimits.actions}`,
  )
  return {
    decisions: [...new Set(rows.map((row) => row.decision))],
    actions: rows.flatMap(({ action }) => action ?? []),
    seqs: seqsOf(rows),
    began: found.began,
  }
}

type LinkRow = {
  decision: number
  action: number | null
  intent: number | null
  result: number | null
}

/** When the action was made; undefined: there is no such action. */
export async function actionBegan(db: Database, action: number): Promise<Date | undefined> {
  const [row] = await ask(
    'find the action',
    db<{ began: Date }[]>`select created_at as began from action where id = ${action}`,
  )
  return row?.began
}

/** The entries of these actions: intents and results. */
export async function seqsOfActions(db: Database, actions: readonly number[]): Promise<number[]> {
  const rows = await ask(
    'find the entries of actions',
    db<Pick<LinkRow, 'intent' | 'result'>[]>`
      select intent_seq as intent, result_seq as result from action
      where id = any (${[...actions]}::bigint[]) limit ${linkLimits.actions}`,
  )
  return seqsOf(rows)
}

function seqsOf(rows: readonly Pick<LinkRow, 'intent' | 'result'>[]): number[] {
  return rows.flatMap(({ intent, result }) => [intent, result]).filter((seq) => seq !== null)
}

/** The accounts that a blob was decided about in. */
export async function accountsOfBlob(db: Database, cid: Hex): Promise<number[]> {
  const rows = await ask(
    'find the accounts of the blob',
    db<{ account: number }[]>`
      select distinct account from decision where blob_cid = decode(${cid}, 'hex')`,
  )
  return rows.map((row) => row.account)
}

/** Fields that entries about this account keep, sealed; null: what belongs to no account. In order of the log. */
export async function* keptOf(
  db: Database,
  account: number | null,
): AsyncGenerator<{ seq: number; field: string }[]> {
  let after = { seq: -1, field: '' }
  for (;;) {
    const rows = await ask(
      'find what entries keep',
      db<{ seq: number; field: string }[]>`
        select seq, field from ledger_private
        where account is not distinct from ${account} and (seq, field) > (${after.seq}, ${after.field})
          and (${account}::bigint is not null or field = 'blob')
        order by seq, field limit ${linkLimits.keptPerPage}`,
    )
    const last = rows.at(-1)
    if (last === undefined) return
    yield rows
    after = last
  }
}

/** Undefined: nobody has this name. */
export async function principalNamed(db: Database, name: string): Promise<number | undefined> {
  const [row] = await ask(
    'find the principal',
    db<{ id: number }[]>`select id from principal where name = ${name}`,
  )
  return row?.id
}
