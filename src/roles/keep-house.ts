// What happens every minute or hour: deletions, retention, counts. Each piece is small, repeatable and safe to run twice.
import { setContent } from '../banks/bank-store.ts'
import { dropRefusedLines } from '../banks/import-steps.ts'
import { sourceKinds } from '../domain/blob.ts'
import type { Database } from '../db/client.ts'
import { ask, callStep } from '../db/client.ts'
import { requestKeepDays } from '../steps/api-matches.ts'
import { principalId } from '../steps/withdraw.ts'

export const houseLimits = {
  removalsPerStep: 500,
  /** Hours of an outage that are counted afterwards. */
  countsHoursBack: 24,
  blobsPerDelete: 5_000,
  undecodableKeepDays: 30,
  triesKeepDays: 30,
  webhookIdKeepHours: 48,
  negatedLabelKeepDays: 30,
  /** This machine's clock and the database's are further apart: nothing ends by its age. */
  clockOffMs: 10 * 60_000,
} as const

const dayMs = 24 * 3600 * 1000
const hourMs = 3600 * 1000

/** Works off the deletions seen so far; what is under a case or a legal hold stays and is asked again next time. */
export async function workRemovals(
  db: Database,
  nowMs: number,
): Promise<{ records: number; accounts: number }> {
  const total = { records: 0, accounts: 0 }
  let after: number | null = 0
  // Past those that wait, so that many accounts under a case never stand before the others.
  while (after !== null) {
    const [row]: RemovalsRow[] = await callStep<RemovalsRow[]>(db, 'work_removals_v1', {
      after,
      limit: houseLimits.removalsPerStep,
      now: new Date(nowMs),
    })
    total.records += row?.records ?? 0
    total.accounts += row?.accounts ?? 0
    after = row?.through ?? null
  }
  return total
}

type RemovalsRow = { records: number; accounts: number; through: number | null }

/** One `counts` entry for each source and full hour of the last day that has none yet. */
export async function noteCounts(db: Database, nowMs: number): Promise<void> {
  const lastFull = Math.floor(nowMs / hourMs) * hourMs - hourMs
  for (let back = houseLimits.countsHoursBack - 1; back >= 0; back -= 1) {
    const from = new Date(lastFull - back * hourMs)
    for (const source of sourceKinds)
      await callStep(db, 'note_counts_v1', { source, from, now: new Date(nowMs) })
  }
}

/** How much each content matched in each full hour, once: what a flood is measured by. */
export async function noteContentHours(db: Database, nowMs: number): Promise<void> {
  await callStep(db, 'note_content_hours_v1', { now: new Date(nowMs) })
}

/** A content that was disabled for a time is enabled as a person would do it: what came by meanwhile is looked at again. */
export async function enableAgain(db: Database, nowMs: number): Promise<void> {
  const due = await ask(
    'find contents to enable again',
    db<{ id: number; bank: string }[]>`
      select c.id, b.name as bank from bank_content c join bank b on b.id = c.bank
      where c.removed_at is null and c.disable_until_ts > 1 and c.disable_until_ts <= ${Math.floor(nowMs / 1000)}`,
  )
  for (const { id, bank } of due) {
    const principal = await principalId(db, { kind: 'system', name: 'blobwatch', nowMs })
    // A person, or another process, may have been quicker.
    const change = { change: 'set' as const, disableUntilTs: 1, onlyWhenDue: true }
    await setContent(db, { bank, content: id, ...change, principal, nowMs })
  }
}

/** Rows that only helped the work of the past weeks. */
export async function sweepOld(db: Database, nowMs: number): Promise<void> {
  const before = (ms: number) => new Date(nowMs - ms)
  await ask(
    'sweep frames',
    db`delete from frame_undecodable where at < ${before(houseLimits.undecodableKeepDays * dayMs)}`,
  )
  await ask(
    'sweep tries',
    db`delete from fetch_try where at < ${before(houseLimits.triesKeepDays * dayMs)}`,
  )
  await ask(
    'sweep ids',
    db`delete from webhook_seen where at < ${before(houseLimits.webhookIdKeepHours * hourMs)}`,
  )
  await ask(
    'sweep negated labels',
    db`delete from label where neg and cts < ${before(houseLimits.negatedLabelKeepDays * dayMs).toISOString()}`,
  )
  await dropRefusedLines(db)
  await callStep(db, 'sweep_requests_v1', { before: before(requestKeepDays * dayMs) })
}

/** Keeps the blob table within its bound: rows without a sighting, oldest first, a small batch at a time. */
export async function trimBlobs(db: Database, rowsMax: number): Promise<number> {
  const [estimate] = await ask(
    'estimate the blob rows',
    db<{ rows: number }[]>`
      select coalesce(sum(greatest(reltuples, 0)), 0)::bigint as rows from pg_class c
      join pg_inherits i on i.inhrelid = c.oid where i.inhparent = 'blob'::regclass`,
  )
  let excess = (estimate?.rows ?? 0) - rowsMax
  let deleted = 0
  while (excess > 0) {
    const [gone] = await ask(
      'trim the blob rows',
      db<{ rows: number }[]>`
        with gone as (
          delete from blob where blob_cid in (
            select b.blob_cid from blob b
            where b.verdict <> 'matched'
              and not exists (select from sighting s where blob_key(s.blob_cid) = blob_key(b.blob_cid) and s.blob_cid = b.blob_cid)
            order by b.hashed_at limit ${houseLimits.blobsPerDelete})
          returning blob_cid
        ), views as (
          delete from blob_variant v using gone where v.blob_cid = gone.blob_cid
        ), others as (
          delete from blob_other o using gone where o.blob_cid = gone.blob_cid
        )
        select count(*) as rows from gone`,
    )
    const rows = gone?.rows ?? 0
    if (rows === 0) break
    deleted += rows
    excess -= rows
  }
  return deleted
}
