// One case: its head, its blobs and its history. Places, matches and actions are read by about.ts.
import type { Database } from '../db/client.ts'
import { ask } from '../db/client.ts'
import type { Hex } from '../domain/blob.ts'
import { UsageError } from '../domain/errors.ts'
import type { CaseState } from './case-list.ts'

export type CaseHead = {
  id: number
  state: CaseState
  reason: string
  openedAt: Date
  decidedAt: Date | null
  decidedBy: string | null
  blobs: number
  places: number
  accounts: number
}
export type BlobRow = {
  cid: Hex
  verdict: string | null
  reason: string | null
  kind: string | null
  bytes: number | null
  quality: number | null
  hashedAt: Date | null
}
export type CaseEvent = { at: Date; who: string | null; event: string; note: string | null }

/** Throws UsageError when there is no such case. */
export async function caseHead(db: Database, caseNumber: number): Promise<CaseHead> {
  const [head] = await ask(
    'find the case',
    db<CaseHead[]>`
      select c.id, c.state, c.reason, c.opened_at as "openedAt", c.decided_at as "decidedAt", p.name as "decidedBy",
        (select count(*) from case_blob b where b.case_file = c.id) as blobs,
        (select count(distinct (d.account, d.collection, d.rkey)) from case_blob b join decision d on d.blob_cid = b.blob_cid
          where b.case_file = c.id) as places,
        (select count(distinct d.account) from case_blob b join decision d on d.blob_cid = b.blob_cid
          where b.case_file = c.id) as accounts
      from case_file c left join principal p on p.id = c.decided_by where c.id = ${caseNumber}`,
  )
  if (head === undefined) throw new UsageError(`there is no case ${caseNumber}`)
  return head
}

export async function caseBlobs(
  db: Database,
  caseNumber: number,
  limit: number,
): Promise<BlobRow[]> {
  return ask(
    'read the blobs of the case',
    db<BlobRow[]>`
      select encode(c.blob_cid, 'hex') as cid, b.verdict, b.reason, b.kind, b.bytes, b.quality, b.hashed_at as "hashedAt"
      from case_blob c left join blob b on b.blob_cid = c.blob_cid
      where c.case_file = ${caseNumber} order by c.blob_cid limit ${limit}`,
  )
}

export async function caseHistory(db: Database, caseNumber: number): Promise<CaseEvent[]> {
  return ask(
    'read the history of the case',
    db<CaseEvent[]>`
      select e.at, p.name as who, e.event, e.note
      from case_event e left join principal p on p.id = e.principal
      where e.case_file = ${caseNumber} order by e.id limit 1000`,
  )
}

export async function caseOf(db: Database, cid: Hex): Promise<number | undefined> {
  const [row] = await ask(
    'find the case of the blob',
    db<
      { id: number }[]
    >`select case_file as id from case_blob where blob_cid = decode(${cid}, 'hex')`,
  )
  return row?.id
}

export async function blobRow(db: Database, cid: Hex): Promise<BlobRow | undefined> {
  const [row] = await ask(
    'find the blob',
    db<BlobRow[]>`
      select encode(b.blob_cid, 'hex') as cid, b.verdict, b.reason, b.kind, b.bytes, b.quality, b.hashed_at as "hashedAt"
      from blob b where b.blob_cid = decode(${cid}, 'hex')`,
  )
  return row
}

export type OpenScan = {
  reason: string
  attempts: number
  nextAt: Date
  tries: { host: string; outcome: string }[]
}

/** The scan that is still to come, and what hosts have said so far. */
export async function openScan(db: Database, cid: Hex): Promise<OpenScan | undefined> {
  const [row] = await ask(
    'find the open scan',
    db<OpenScan[]>`
      select j.reason, j.attempts, j.next_at as "nextAt", coalesce((
          select jsonb_agg(jsonb_build_object('host', t.host, 'outcome', t.outcome) order by t.host)
          from fetch_try t where t.blob_cid = j.key), '[]') as tries
      from job j where j.kind = 'scan' and j.key = decode(${cid}, 'hex')`,
  )
  return row
}

export type AccountRow = { id: number; did: string; status: string }

export async function accountOf(db: Database, did: string): Promise<AccountRow | undefined> {
  const [row] = await ask(
    'find the account',
    db<AccountRow[]>`select id, did, status from account where did = ${did}`,
  )
  return row
}
