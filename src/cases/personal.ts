// What is kept about an account and what would become of it, and the legal holds that keep it.
import type { Database } from '../db/client.ts'
import { ask } from '../db/client.ts'

export type ErasurePreview = {
  account: number
  /** Rows that an erasure removes. `values`: kept behind commitments of `entries` ledger entries. */
  goes: {
    sightings: number
    announced: number
    /** Of programs and users, about it. */
    requests: number
    gaps: number
    frames: number
    values: number
    entries: number
    labels: number
  }
  /** Rows that stay, under a number that nobody can turn into a name any more. */
  stays: { decisions: number; actions: number; cases: number }
  waitsFor: string[]
}

/** undefined: nothing is known of such an account. */
export async function erasurePreview(
  db: Database,
  did: string,
): Promise<ErasurePreview | undefined> {
  const [row] = await ask(
    'look at what an erasure would remove',
    db<(ErasurePreview['goes'] & ErasurePreview['stays'] & Omit<ErasurePreview, 'goes'>)[]>`
      select a.id as account,
        (select count(*) from sighting s where s.account = a.id) as sightings,
        (select count(*) from webhook_content w where w.account = a.id)
          + (select count(*) from job j where j.kind = 'url' and (j.detail->>'account')::bigint = a.id) as announced,
        (select count(*) from api_action_place x where x.account = a.id)
          + (select count(*) from user_report r where r.account = a.id) as requests,
        (select count(*) from ingest_gap g where g.account = a.id) as gaps,
        (select count(*) from frame_undecodable f where position(convert_to(a.did, 'UTF8') in f.bytes) > 0) as frames,
        (select count(*) from ledger_private l where l.account = a.id) as values,
        (select count(distinct l.seq) from ledger_private l where l.account = a.id) as entries,
        (select count(*) from label l where l.account = a.id) as labels,
        (select count(*) from decision d where d.account = a.id) as decisions,
        (select count(*) from action x join subject s on s.id = x.subject where s.account = a.id) as actions,
        (select count(distinct d.case_file) from decision d where d.account = a.id) as cases,
        array(select why from erasure_waits_for(a.id)
          union all select 'label' where exists (select from label l where l.account = a.id and not l.neg)
          union all select 'entry' where exists (
            select from ledger_intake i where i.account = a.id and i.private <> '{}')) as "waitsFor"
      from account a where a.did = ${did}`,
  )
  if (row === undefined) return undefined
  const { sightings, announced, requests, gaps, frames, values, entries, labels } = row
  const { decisions, actions, cases } = row
  return {
    account: row.account,
    goes: { sightings, announced, requests, gaps, frames, values, entries, labels },
    stays: { decisions, actions, cases },
    waitsFor: row.waitsFor,
  }
}

export type LegalHoldRow = {
  id: number
  /** null: erased since the legal hold was lifted, or the legal hold is on a case. */
  did: string | null
  caseNumber: number | null
  reason: string
  authority: string | null
  by: string
  at: Date
  liftedAt: Date | null
  liftReason: string | null
}

/** Newest first; those that stand unless `all`. */
export async function legalHolds(
  db: Database,
  options: { all: boolean; limit: number; offset: number },
): Promise<LegalHoldRow[]> {
  return ask(
    'list the legal holds',
    db<LegalHoldRow[]>`
      select h.id, a.did, h.case_file as "caseNumber", h.reason, h.authority, p.name as by, h.at,
        h.lifted_at as "liftedAt", h.lift_reason as "liftReason"
      from legal_hold h join principal p on p.id = h.principal left join account a on a.id = h.account
      where ${options.all} or h.lifted_at is null
      order by h.id desc limit ${options.limit} offset ${options.offset}`,
  )
}

/** An erasure that was done: no name, only numbers. `entry`: its ledger entry; null: not found, or not entered yet. */
export type ErasureRow = { account: number; at: Date; entry: number | null }

/** An erasure is entered within a moment of being done; further on nobody looks. */
const entriesLookedAtMax = 5_000

export async function erasuresAfter(
  db: Database,
  after: number,
  limit: number,
): Promise<ErasureRow[]> {
  return ask(
    'list the erasures',
    db<ErasureRow[]>`
      select e.account, e.at, x.seq as entry from erasure e left join lateral (
        select l.seq from ledger_entry l
        where l.seq >= e.entry_from and l.seq < e.entry_from + ${entriesLookedAtMax}::integer
          and position(convert_to('"type":"account.erased"', 'UTF8') in l.bytes) > 0
          and convert_from(l.bytes, 'UTF8')::jsonb #>> '{pub,account}' = e.account::text
        order by l.seq limit 1
      ) x on true
      where e.account > ${after} order by e.account limit ${limit}`,
  )
}
