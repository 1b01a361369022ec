// The restrictions of a period, and those lifted in it, as a statement of reasons needs them.
import type { Database } from '../db/client.ts'
import { ask } from '../db/client.ts'
import type { DsaRule } from './dsa-rule.ts'
import type { Restriction } from './dsa-statement.ts'
import type { Period } from './tally.ts'

export const dsaReadLimits = { perPage: 1000, banks: 10_000 } as const

/** Carried out in the period; in the order in which they were planned. Nobody's name is read. */
export async function* restrictionsOf(
  db: Database,
  { from, to }: Period,
): AsyncGenerator<Restriction[]> {
  let after = 0
  for (;;) {
    const rows: Restriction[] = await ask(
      'read what was restricted',
      db<Restriction[]>`
        select a.id as action, a.kind, k.class as "bankClass", r.rule, d.type as "signalType", b.kind as media,
          least(d.sighting_at, a.ended_at) as "seenAt", a.ended_at as "appliedAt", a.by_person as "byPerson",
          (c.state is not distinct from 'confirmed') as "confirmedLater",
          (select min(u.ended_at) from action u
            where u.undoes = a.id and u.subject = a.subject and u.state = 'done') as "liftedAt"
        from action a
        join decision d on d.id = a.decision
        join bank k on k.id = d.bank
        left join bank_dsa r on r.bank = k.id
        left join blob b on b.blob_cid = d.blob_cid
        left join case_file c on c.id = d.case_file
        where a.id > ${after} and a.ended_at >= ${from} and a.ended_at < ${to} and a.state = 'done' and a.applied
        order by a.id limit ${dsaReadLimits.perPage}`,
    )
    const last = rows.at(-1)
    if (last === undefined) return
    yield rows
    after = last.action
  }
}

/** Actions whose restriction was lifted in the period, whenever it was applied. */
export async function* liftedIn(
  db: Database,
  { from, to }: Period,
): AsyncGenerator<{ action: number; liftedAt: Date }[]> {
  let after = 0
  for (;;) {
    const rows = await ask(
      'read what was lifted',
      db<{ undo: number; action: number; liftedAt: Date }[]>`
        select id as undo, undoes as action, ended_at as "liftedAt" from action
        where id > ${after} and ended_at >= ${from} and ended_at < ${to} and state = 'done'
          and not applied and undoes is not null
        order by id limit ${dsaReadLimits.perPage}`,
    )
    const last = rows.at(-1)
    if (last === undefined) return
    yield rows.map(({ action, liftedAt }) => ({ action, liftedAt }))
    after = last.undo
  }
}

/** Banks that nothing published may name. */
export async function secretNames(db: Database): Promise<string[]> {
  const rows = await ask(
    'read names that stay here',
    db<{ name: string }[]>`
      select regexp_replace(name, ' [(]removed [0-9]+[)]$', '') as name from bank
      where class = 'restricted' or confidential order by id limit ${dsaReadLimits.banks}`,
  )
  return rows.map((row) => row.name)
}

/** undefined: nothing was set. */
export async function ruleOf(
  db: Database,
  bank: number,
): Promise<{ rule: DsaRule; at: Date } | undefined> {
  const [row] = await ask(
    'read the rule of the bank',
    db<{ rule: DsaRule; at: Date }[]>`select rule, at from bank_dsa where bank = ${bank}`,
  )
  return row
}
