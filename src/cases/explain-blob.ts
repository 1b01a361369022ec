// How one blob came through each gate: what is recorded of it, one question a gate. Names of banks are for the operator.
import type { Database } from '../db/client.ts'
import { ask } from '../db/client.ts'
import { policyDefaults } from '../domain/bank.ts'
import type { BankClass } from '../domain/bank.ts'
import type { AnySignalType, Hex } from '../domain/blob.ts'
import type { StoredSignals } from '../domain/stored-signals.ts'
import type { Variant } from '../domain/variant.ts'

export type SeenFacts = {
  sightings: number
  accounts: number
  first: Date | null
  last: Date | null
}

export async function seenFacts(db: Database, cid: Hex): Promise<SeenFacts> {
  const [row] = await ask(
    'count where the blob was seen',
    db<SeenFacts[]>`
      select count(*) as sightings, count(distinct account) as accounts, min(at) as first, max(at) as last
      from sighting where blob_key(blob_cid) = blob_key(decode(${cid}, 'hex')) and blob_cid = decode(${cid}, 'hex')`,
  )
  return row ?? { sightings: 0, accounts: 0, first: null, last: null }
}

export type FetchTry = {
  host: string
  outcome: string
  at: Date
  /** While the host may be asked again. */
  until: Date | null
  attempts: number
}

/** What hosts said; it is forgotten when a scan is settled with the bytes in hand. */
export async function fetchTries(db: Database, cid: Hex): Promise<FetchTry[]> {
  return ask(
    'read what hosts said',
    db<FetchTry[]>`
      select host, outcome, at, until, attempts from fetch_try
      where blob_cid = decode(${cid}, 'hex') order by at limit 100`,
  )
}

/** `signals` are for comparing: they are never shown. */
export type StoredScan = {
  verdict: 'clear' | 'matched' | 'unscannable'
  reason: string | null
  kind: string | null
  bytes: number | null
  hashedAt: Date
  generation: number
  signals: StoredSignals
}

export async function storedScan(db: Database, cid: Hex): Promise<StoredScan | undefined> {
  const [row] = await ask(
    'read the stored scan',
    db<StoredScan[]>`
      select b.verdict, b.reason, b.kind, b.bytes, b.hashed_at as "hashedAt", b.bank_generation as generation,
        jsonb_build_object('pdq', encode(b.pdq, 'hex'), 'quality', b.quality, 'md5', encode(b.md5, 'hex'),
          'sha1', encode(b.sha1, 'hex'), 'variants', coalesce((
            select jsonb_agg(jsonb_build_object('variant', v.variant, 'hash', encode(v.pdq, 'hex'), 'quality', v.quality)
              order by v.variant)
            from blob_variant v where v.blob_cid = b.blob_cid), '[]'),
          'others', blob_others(b.blob_cid)) as signals
      from blob b where b.blob_cid = decode(${cid}, 'hex')`,
  )
  return row
}

export type MatchFacts = {
  signal: number
  content: number
  bankId: number
  bank: string
  class: BankClass
  confidential: boolean
  type: AnySignalType
  distance: number
  /** Up to which the bank matches now; null: only what is equal. */
  distanceMax: number | null
  variant: Variant
  at: Date
  generation: number
  setAside: 'ratio' | 'negative' | null
  /** The content of the negative bank that matched too, and its bank. */
  setAsideBy: number | null
  setAsideByBank: string | null
  removedAt: Date | null
  /** HMA's: 0 disabled, 1 enabled, else disabled until that unix second. */
  disableUntilTs: number
  /** Set aside by a flood. */
  heldAt: Date | null
  reviewed: 'confirmed' | 'deconfirmed' | null
  movedTo: number | null
  addedAt: Date
  note: string | null
  source: string | null
  provenance: unknown
}

export async function matchFacts(db: Database, cid: Hex, limit: number): Promise<MatchFacts[]> {
  return ask(
    'read the matches',
    db<MatchFacts[]>`
      select m.signal, m.content, m.bank as "bankId", b.name as bank, b.class, b.confidential, m.type, m.distance,
        case m.type when 'pdq' then (b.policy->>'pdqDistanceMax')::integer
          when 'clip' then coalesce(b.policy->>'clipDistanceMax', ${String(policyDefaults.clipDistanceMax)})::integer
        end as "distanceMax", m.variant, m.at, m.bank_generation as generation, m.set_aside as "setAside", m.set_aside_by as "setAsideBy",
        nb.name as "setAsideByBank", c.removed_at as "removedAt", c.disable_until_ts as "disableUntilTs",
        c.held_at as "heldAt", c.reviewed, c.moved_to as "movedTo", c.created_at as "addedAt", c.note, c.source, c.provenance
      from match m join bank b on b.id = m.bank join bank_content c on c.id = m.content
        left join bank_content nc on nc.id = m.set_aside_by left join bank nb on nb.id = nc.bank
      where m.blob_cid = decode(${cid}, 'hex')
      order by b.name, m.content, m.distance, m.signal limit ${limit}`,
  )
}

/** The blobs of a case, a page of them. */
export async function caseCids(
  db: Database,
  caseNumber: number,
  page: { limit: number; offset: number },
): Promise<Hex[]> {
  const rows = await ask(
    'read the blobs of the case',
    db<{ cid: Hex }[]>`
      select encode(blob_cid, 'hex') as cid from case_blob where case_file = ${caseNumber}
      order by blob_cid limit ${page.limit} offset ${page.offset}`,
  )
  return rows.map((row) => row.cid)
}

export type PlaceRow = { account: number; collection: string | null; rkey: string | null }

/** Each place once, newest first. */
export async function distinctPlaces(db: Database, cid: Hex, limit: number): Promise<PlaceRow[]> {
  return ask(
    'read the places of the blob',
    db<PlaceRow[]>`
      select account, collection, rkey from sighting
      where blob_key(blob_cid) = blob_key(decode(${cid}, 'hex')) and blob_cid = decode(${cid}, 'hex')
      group by account, collection, rkey order by max(at) desc limit ${limit}`,
  )
}
