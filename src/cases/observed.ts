// What observe mode saw: what would have been done, one question a function.
import type { Database } from '../db/client.ts'
import { ask } from '../db/client.ts'

export type ObservedTotals = {
  decisions: number
  blobs: number
  accounts: number
  first: Date | null
  last: Date | null
}
export type ObservedBank = { bank: string; decisions: number; blobs: number; accounts: number }
export type ObservedKind = { kind: string; subjects: number; wouldAct: number; wouldHold: number }
export type ObservedBand = { type: string; band: string; blobs: number; decisions: number }
export type ObservedContent = { bank: string; content: number; actions: number }

export async function observedTotals(db: Database, since: Date): Promise<ObservedTotals> {
  const [row] = await ask(
    'count what was observed',
    db<ObservedTotals[]>`
      select count(*) as decisions, count(distinct blob_cid) as blobs, count(distinct account) as accounts,
        min(at) as first, max(at) as last
      from decision where outcome = 'observed' and at >= ${since}`,
  )
  return row ?? { decisions: 0, blobs: 0, accounts: 0, first: null, last: null }
}

export async function observedByBank(db: Database, since: Date): Promise<ObservedBank[]> {
  return ask(
    'count what was observed by bank',
    db<ObservedBank[]>`
      select b.name as bank, count(*) as decisions, count(distinct d.blob_cid) as blobs, count(distinct d.account) as accounts
      from decision d join bank b on b.id = d.bank
      where d.outcome = 'observed' and d.at >= ${since}
      group by b.name order by count(*) desc, b.name`,
  )
}

/** A subject counts once a kind. Act or hold: by the policies of today, as decide() would in mode act. */
export async function observedByKind(db: Database, since: Date): Promise<ObservedKind[]> {
  return ask(
    'count what was observed by kind of action',
    db<ObservedKind[]>`
      select kind, count(*) as subjects, count(*) filter (where acts) as "wouldAct",
        count(*) filter (where not acts) as "wouldHold"
      from (
        select w.kind,
          bool_or(not coalesce((b.policy->>'preserve')::boolean, false)
            and case when d.type in ('pdq', 'clip') then b.policy->>'perceptual'
              when d.type in ('sha256', 'md5', 'sha1') then b.policy->>'exact' else 'hold' end = 'act') as acts
        from decision d join bank b on b.id = d.bank cross join unnest(d.wants) as w(kind)
        where d.outcome = 'observed' and d.at >= ${since}
        group by w.kind, d.account,
          case when w.kind = 'takedown-blob' then encode(d.blob_cid, 'hex') else d.collection || '/' || d.rkey end
      ) x group by kind order by kind`,
  )
}

export async function observedByDistance(db: Database, since: Date): Promise<ObservedBand[]> {
  return ask(
    'count what was observed by distance',
    db<ObservedBand[]>`
      select type, band, count(distinct blob_cid) as blobs, count(*) as decisions
      from (
        select d.type, d.blob_cid, case when d.distance = 0 then '0' when d.distance <= 10 then '1-10'
          when d.distance <= 20 then '11-20' when d.distance <= 31 then '21-31' else 'over 31' end as band, d.distance
        from decision d where d.outcome = 'observed' and d.at >= ${since}
      ) x group by type, band order by type, min(distance)`,
  )
}

/** The contents that would have been the cause of most. */
export async function observedByContent(
  db: Database,
  since: Date,
  limit: number,
): Promise<ObservedContent[]> {
  return ask(
    'count what was observed by content',
    db<ObservedContent[]>`
      select b.name as bank, d.content, sum(cardinality(d.wants))::integer as actions
      from decision d join bank b on b.id = d.bank
      where d.outcome = 'observed' and d.at >= ${since}
      group by b.name, d.content having sum(cardinality(d.wants)) > 0
      order by 3 desc, d.content limit ${limit}`,
  )
}
