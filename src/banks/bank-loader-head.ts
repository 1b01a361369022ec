// The small facts that every look at the banks begins with: how far they have come, the banks, what is disabled.
import type { Database } from '../db/client.ts'
import type { Bank } from '../domain/bank.ts'
import type { IndexState } from '../domain/signal-batch.ts'
import { toBank } from './bank-store.ts'
import type { BankRow } from './bank-store.ts'
import { read, toIds } from './bank-loader-packed.ts'

/** A generation, and which change made it: after a restored backup the same number is another change. */
export type Point = { generation: number; mark: string }

export type Look = {
  head: Point
  /** The mark that the generation asked about has now. */
  knownMark: string
}

/** One cheap statement. Whatever has a generation up to the head's is committed. */
export async function lookAtHead(db: Database, known: number): Promise<Look> {
  const mark = (change: 'head_change' | 'known_change') => db`concat_ws(' ', ${db(change)}.op,
    ${db(change)}.bank, ${db(change)}.content, ${db(change)}.principal, extract(epoch from ${db(change)}.at))`
  const [row] = await read(
    'look at the bank generation',
    db<{ generation: number; headMark: string; knownMark: string }[]>`
      select h.generation, ${mark('head_change')} as "headMark", ${mark('known_change')} as "knownMark"
      from bank_head h
      left join bank_change head_change on head_change.generation = h.generation
      left join bank_change known_change on known_change.generation = ${known}`,
  )
  if (row === undefined) throw new TypeError('bank_head has one row')
  return { head: { generation: row.generation, mark: row.headMark }, knownMark: row.knownMark }
}

export async function readBanks(db: Database): Promise<ReadonlyMap<number, Bank>> {
  const rows = await read(
    'read the banks',
    db<BankRow[]>`select id, name, mode, class, confidential, policy, policy_version from bank`,
  )
  return new Map(rows.map((row) => [row.id, toBank(row)]))
}

/** What the index has to know beside the signals. Read after the head: it is of that generation or a later one. */
export async function readState(
  db: Database,
  generation: number,
  banks: ReadonlyMap<number, Bank>,
): Promise<IndexState> {
  const [row] = await read(
    'read which contents are disabled',
    db<{ ids: Buffer | null; until: number[] | null }[]>`
      select string_agg(int4send(id), '' order by id) as ids, jsonb_agg(disable_until_ts order by id) as until
      from bank_content where disable_until_ts <> 1 and removed_at is null`,
  )
  const ids = toIds(row?.ids ?? new Uint8Array())
  const until = row?.until ?? []
  return {
    generation,
    disabled: new Map(until.map((at, i) => [ids[i] as number, at])),
    distanceMax: new Map(
      [...banks.values()].map(({ id, policy }) => [
        id,
        { pdq: policy.pdqDistanceMax, clip: policy.clipDistanceMax },
      ]),
    ),
  }
}
