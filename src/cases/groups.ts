// What is known about a group of blobs: how much it was seen, by how many, what scans and banks said. Accounts are counted.
import type { Database } from '../db/client.ts'
import { ask } from '../db/client.ts'
import type { Hex } from '../domain/blob.ts'

export type GroupVerdicts = { clear: number; matched: number; unscannable: number }

export async function verdictsOf(db: Database, cids: readonly Hex[]): Promise<GroupVerdicts> {
  const [row] = await ask(
    'count the verdicts',
    db<GroupVerdicts[]>`
      select count(*) filter (where verdict = 'clear') as clear, count(*) filter (where verdict = 'matched') as matched,
        count(*) filter (where verdict = 'unscannable') as unscannable
      from blob where blob_cid in (select decode(c, 'hex') from unnest(${[...cids]}::text[]) c)`,
  )
  return row ?? { clear: 0, matched: 0, unscannable: 0 }
}

/** The names of the banks that matched any of them, set aside or not. For the operator's own screen. */
export async function banksOf(db: Database, cids: readonly Hex[]): Promise<string[]> {
  const rows = await ask(
    'read the banks of a group',
    db<{ name: string }[]>`
      select distinct b.name from match m join bank b on b.id = m.bank
      where m.blob_cid in (select decode(c, 'hex') from unnest(${[...cids]}::text[]) c) order by b.name`,
  )
  return rows.map((row) => row.name)
}
