// Everything that is known about a blob, a record, an account or a case: one question each, all with the same filter.
import type { Database } from '../db/client.ts'
import { ask } from '../db/client.ts'
import type { Hex } from '../domain/blob.ts'

/** What the rows must be about; every field that is set narrows it down. */
export type About = {
  account?: number
  cid?: Hex
  collection?: string
  rkey?: string
  caseNumber?: number
}

export type Place = {
  did: string | null
  account: number
  collection: string | null
  rkey: string | null
}
export type SightingRow = Place & { cid: Hex; source: string; at: Date }
export type MatchRow = {
  cid: Hex
  bank: string
  content: number
  type: string
  distance: number
  variant: string
  /** Why it does not count: a share of the blobs only, or a bank of harmless pictures. */
  setAside: 'ratio' | 'negative' | null
  at: Date
}
export type DecisionRow = Place & {
  id: number
  at: Date
  cid: Hex
  source: string
  sightingAt: Date
  bank: string
  type: string
  distance: number
  mode: string
  outcome: string
  reason: string
  wants: string[]
  caseNumber: number | null
}
export type ActionRow = Place & {
  id: number
  kind: string
  applied: boolean
  undoes: number | null
  cid: Hex
  state: string
  waiting: string | null
  byPerson: boolean
  createdAt: Date
  releasedAt: Date | null
  endedAt: Date | null
  attempts: number
  lastError: string | null
  intentSeq: number | null
  resultSeq: number | null
}
export type LabelRow = {
  seq: number
  uri: string
  val: string
  neg: boolean
  cts: string
  src: string
}
export type SubjectRow = Place & {
  kind: string
  cid: Hex | null
  standing: string
  wanted: string
  observed: string | null
  observedAt: Date | null
}

export async function sightingsAbout(
  db: Database,
  about: About,
  limit: number,
): Promise<SightingRow[]> {
  const { account, cid, collection, rkey } = filled(about)
  return ask(
    'read the sightings',
    db<SightingRow[]>`
      select a.did, s.account, s.collection, s.rkey, encode(s.blob_cid, 'hex') as cid, s.source, s.at
      from sighting s join account a on a.id = s.account
      where (${account}::bigint is null or s.account = ${account})
        and (${cid}::text is null or (blob_key(s.blob_cid) = blob_key(decode(${cid}, 'hex')) and s.blob_cid = decode(${cid}, 'hex')))
        and (${collection}::text is null or s.collection = ${collection})
        and (${rkey}::text is null or s.rkey = ${rkey})
      order by s.at desc limit ${limit}`,
  )
}

export async function matchesOf(
  db: Database,
  cids: readonly Hex[],
  limit: number,
): Promise<MatchRow[]> {
  return ask(
    'read the matches',
    db<MatchRow[]>`
      select encode(m.blob_cid, 'hex') as cid, b.name as bank, m.content, m.type, m.distance, m.variant,
        m.set_aside as "setAside", m.at
      from match m join bank b on b.id = m.bank
      where m.blob_cid in (select decode(c, 'hex') from unnest(${[...cids]}::text[]) c)
      order by m.blob_cid, b.name, m.content, m.distance limit ${limit}`,
  )
}

export async function decisionsAbout(
  db: Database,
  about: About,
  limit: number,
): Promise<DecisionRow[]> {
  const { account, cid, collection, rkey, caseNumber } = filled(about)
  return ask(
    'read the decisions',
    db<DecisionRow[]>`
      select d.id, d.at, a.did, d.account, d.collection, d.rkey, encode(d.blob_cid, 'hex') as cid, d.source,
        d.sighting_at as "sightingAt", b.name as bank, d.type, d.distance, d.mode, d.outcome, d.reason, d.wants,
        d.case_file as "caseNumber"
      from decision d join account a on a.id = d.account join bank b on b.id = d.bank
      where (${account}::bigint is null or d.account = ${account})
        and (${cid}::text is null or d.blob_cid = decode(${cid}, 'hex'))
        and (${collection}::text is null or d.collection = ${collection})
        and (${rkey}::text is null or d.rkey = ${rkey})
        and (${caseNumber}::integer is null or d.blob_cid in (select blob_cid from case_blob where case_file = ${caseNumber}))
      order by d.id desc limit ${limit}`,
  )
}

/** A record with several pictures has one action: it is about each of them, whichever caused it first. */
export async function actionsAbout(
  db: Database,
  about: About,
  limit: number,
): Promise<ActionRow[]> {
  const { account, cid, collection, rkey, caseNumber } = filled(about)
  return ask(
    'read the actions',
    db<ActionRow[]>`
      select x.id, x.kind, x.applied, x.undoes, a.did, s.account, s.collection, s.rkey,
        encode(d.blob_cid, 'hex') as cid, x.state, x.waiting, x.by_person as "byPerson", x.created_at as "createdAt",
        x.released_at as "releasedAt", x.ended_at as "endedAt", x.attempts, x.last_error as "lastError",
        x.intent_seq as "intentSeq", x.result_seq as "resultSeq"
      from action x join subject s on s.id = x.subject join decision d on d.id = x.decision
        join account a on a.id = s.account
      where (${account}::bigint is null or s.account = ${account})
        and (${cid}::text is null or d.blob_cid = decode(${cid}, 'hex') or exists (
          select from decision o where o.subject = x.subject and o.blob_cid = decode(${cid}, 'hex')))
        and (${collection}::text is null or d.collection = ${collection})
        and (${rkey}::text is null or d.rkey = ${rkey})
        and (${caseNumber}::integer is null or d.blob_cid in (select blob_cid from case_blob where case_file = ${caseNumber})
          or exists (select from decision o join case_blob c on c.blob_cid = o.blob_cid
            where o.subject = x.subject and c.case_file = ${caseNumber}))
      order by x.id desc limit ${limit}`,
  )
}

export async function labelsAbout(
  db: Database,
  about: Pick<About, 'account' | 'caseNumber'> & { uri?: string; cid?: Hex },
  limit: number,
): Promise<LabelRow[]> {
  const account = about.account ?? null
  const caseNumber = about.caseNumber ?? null
  const uri = about.uri ?? null
  const cid = about.cid ?? null
  return ask(
    'read the labels',
    db<LabelRow[]>`
      select l.seq, l.uri, l.val, l.neg, l.cts, l.src
      from label l left join action x on x.id = l.action_id left join decision d on d.id = x.decision
      where (${account}::bigint is null or l.account = ${account})
        and (${uri}::text is null or l.uri = ${uri})
        and (${cid}::text is null or d.blob_cid = decode(${cid}, 'hex'))
        and (${caseNumber}::integer is null or d.blob_cid in (select blob_cid from case_blob where case_file = ${caseNumber}))
      order by l.seq desc limit ${limit}`,
  )
}

/** What we aim at for the account's things, what the other side last said, and what a person released. */
export async function subjectsAbout(
  db: Database,
  about: About,
  limit: number,
): Promise<SubjectRow[]> {
  const { account, cid, collection, rkey } = filled(about)
  return ask(
    'read the subjects',
    db<SubjectRow[]>`
      select s.kind, a.did, s.account, s.collection, s.rkey, encode(s.blob_cid, 'hex') as cid, s.standing, s.wanted,
        s.observed, s.observed_at as "observedAt"
      from subject s join account a on a.id = s.account
      where (${account}::bigint is null or s.account = ${account})
        and (${cid}::text is null or s.blob_cid = decode(${cid}, 'hex'))
        and (${collection}::text is null or s.collection = ${collection})
        and (${rkey}::text is null or s.rkey = ${rkey})
      order by s.id desc limit ${limit}`,
  )
}

function filled(about: About) {
  return {
    account: about.account ?? null,
    cid: about.cid ?? null,
    collection: about.collection ?? null,
    rkey: about.rkey ?? null,
    caseNumber: about.caseNumber ?? null,
  }
}
