// What a compliance report has to read from tables, one question a function. Everything else comes from entries.
import type { Database } from '../db/client.ts'
import { ask } from '../db/client.ts'
import { newestAnchored } from './checkpoint.ts'
import type { BankFact, ListFact, Tables } from './compliance.ts'
import type { CaseLookup } from './people.ts'
import type { Spread } from './quantile.ts'
import type { Intent, Period } from './tally.ts'

export const tableLimits = { idsPerQuestion: 10_000, banks: 10_000, lists: 10_000 } as const

export async function readTables(
  db: Database,
  input: { period: Period; nowMs: number; actions: number[]; cases: number[] },
): Promise<Tables> {
  const { period } = input
  const banks = await bankFacts(db)
  return {
    banks,
    earlierIntents: await intentsOf(db, input.actions),
    earlierCases: await casesOf(db, input.cases),
    timeliness: await timeliness(db, period),
    openIntents: await openIntents(db),
    heldNow: await heldNow(db),
    openCases: await openCases(db),
    openAppeals: await openAppeals(db),
    gaps: await gaps(db, period),
    lists: await lists(db, input.nowMs),
    checkpoint: (await newestAnchored(db)) ?? null,
  }
}

/** Only an open bank that no exchange fills has a name here. */
async function bankFacts(db: Database): Promise<BankFact[]> {
  return ask(
    'read the banks',
    db<BankFact[]>`
      select 'b' || id as bank, class, case when class = 'open' and not confidential then name end as name
      from bank order by id limit ${tableLimits.banks}`,
  )
}

async function intentsOf(db: Database, actions: readonly number[]): Promise<Map<number, Intent>> {
  const found = new Map<number, Intent>()
  for (const ids of paged(actions)) {
    const rows = await ask(
      'read actions planned before the period',
      db<(Intent & { id: number })[]>`
        select id, kind, applied, by_person as "byPerson" from action
        where id = any (${ids}::bigint[]) and intent_seq is not null`,
    )
    for (const { id, ...intent } of rows) found.set(id, intent)
  }
  return found
}

async function casesOf(db: Database, cases: readonly number[]): Promise<CaseLookup> {
  const openedMs = new Map<number, number>()
  const signals = new Map<number, Set<string>>()
  for (const ids of paged(cases)) {
    const rows = await ask(
      'read cases opened before the period',
      db<{ id: number; opened: Date; signals: string[] }[]>`
        select c.id, c.opened_at as opened,
          array(select distinct 'b' || d.bank || ' ' || d.type from decision d where d.case_file = c.id) as signals
        from case_file c where c.id = any (${ids}::integer[])`,
    )
    for (const row of rows) {
      openedMs.set(row.id, row.opened.getTime())
      signals.set(row.id, new Set(row.signals))
    }
  }
  return { openedMs, signals }
}

function* paged(ids: readonly number[]): Generator<number[]> {
  for (let at = 0; at < ids.length; at += tableLimits.idsPerQuestion)
    yield ids.slice(at, at + tableLimits.idsPerQuestion)
}

type SpreadRow = { group: string } & Spread

/** Exact: over every takedown that was carried out, and every decision, of the period. */
async function timeliness(db: Database, { from, to }: Period): Promise<Tables['timeliness']> {
  const takedowns = await ask(
    'measure how long takedowns took',
    db<(SpreadRow & { decidedMedian: number; decidedP95: number })[]>`
      select x.group, count(*) as count,
        percentile_disc(0.5) within group (order by seen) as median,
        percentile_disc(0.95) within group (order by seen) as p95,
        percentile_disc(0.5) within group (order by decided) as "decidedMedian",
        percentile_disc(0.95) within group (order by decided) as "decidedP95"
      from (
        select case when d.retro then 'found later, by a change of a bank'
            when a.by_person then 'a person decided' else 'by itself' end as group,
          greatest(0, extract(epoch from a.ended_at - d.sighting_at))::double precision as seen,
          greatest(0, extract(epoch from a.ended_at - d.at))::double precision as decided
        from action a join decision d on d.id = a.decision
        where a.ended_at >= ${from} and a.ended_at < ${to} and a.state = 'done' and a.applied and a.kind <> 'label'
      ) x group by x.group order by x.group`,
  )
  const decisions = await ask(
    'measure how long decisions took',
    db<SpreadRow[]>`
      select x.group, count(*) as count,
        percentile_disc(0.5) within group (order by seen) as median,
        percentile_disc(0.95) within group (order by seen) as p95
      from (
        select case when d.retro then 'found later, by a change of a bank' else 'as it was seen' end as group,
          greatest(0, extract(epoch from d.at - d.sighting_at))::double precision as seen
        from decision d where d.at >= ${from} and d.at < ${to}
      ) x group by x.group order by x.group`,
  )
  const spread = ({ count, median, p95 }: Spread) => ({ count, median, p95 })
  return [
    ...decisions.map((row) => ({
      from: 'sighting',
      to: 'decision',
      group: row.group,
      spread: spread(row),
    })),
    ...takedowns.map((row) => ({
      from: 'sighting',
      to: 'takedown',
      group: row.group,
      spread: spread(row),
    })),
    ...takedowns.map((row) => ({
      from: 'decision',
      to: 'takedown',
      group: row.group,
      spread: { count: row.count, median: row.decidedMedian, p95: row.decidedP95 },
    })),
  ]
}

/** Intents that have no result, now. */
async function openIntents(db: Database): Promise<Tables['openIntents']> {
  return ask(
    'count open intents',
    db<Tables['openIntents']>`
      select case when applied then kind else 'undo ' || kind end as kind,
        state || case when waiting is null then '' else ' (' || waiting || ')' end as state,
        count(*) as actions, min(created_at) as oldest
      from action where state in ('planned', 'released', 'sending') group by 1, 2 order by 1, 2`,
  )
}

async function heldNow(db: Database): Promise<Tables['heldNow']> {
  return ask(
    'count what is held',
    db<Tables['heldNow']>`
      select coalesce(waiting, '') as reason, count(*) as actions, min(created_at) as oldest
      from action where state = 'held' group by 1 order by 2 desc, 1`,
  )
}

async function openCases(db: Database): Promise<Tables['openCases']> {
  const [row] = await ask(
    'count open cases',
    db<Tables['openCases'][]>`
      select count(*) as cases, min(opened_at) as oldest from case_file where state = 'open'`,
  )
  return row ?? { cases: 0, oldest: null }
}

async function openAppeals(db: Database): Promise<number> {
  const [row] = await ask(
    'count open appeals',
    db<{ open: number }[]>`select count(*) as open from appeal where outcome is null`,
  )
  return row?.open ?? 0
}

/** Hosts are not told: somebody's own host names them. */
async function gaps(db: Database, { from, to }: Period): Promise<Tables['gaps']> {
  const [row] = await ask(
    'count gaps',
    db<{ opened: number; closed: number }[]>`
      select count(*) filter (where at >= ${from} and at < ${to}) as opened,
        count(*) filter (where closed_at >= ${from} and closed_at < ${to}) as closed
      from ingest_gap`,
  )
  const openNow = await ask(
    'count open gaps',
    db<Tables['gaps']['openNow']>`
      select source, reason, count(*) as gaps, min(at) as since
      from ingest_gap where closed_at is null group by 1, 2 order by 1, 2`,
  )
  return { opened: row?.opened ?? 0, closed: row?.closed ?? 0, openNow }
}

/** Per list that a bank ever got; the name of a restricted or confidential one stays here. */
async function lists(db: Database, nowMs: number): Promise<ListFact[]> {
  const rows = await ask(
    'read how fresh lists are',
    db<Omit<ListFact, 'ageSeconds'>[]>`
      select 'b' || l.id as bank, l.source, l."lastImport", l.waiting from (
        select b.id, case when b.class = 'open' and not b.confidential then i.source end as source,
          max(i.ended_at) filter (where i.state = 'done') as "lastImport",
          bool_or(i.state not in ('done', 'refused')) as waiting
        from bank_import i join bank b on b.id = i.bank
        group by b.id, i.source
        union all
        select e.bank, null, e.succeeded_at, e.fetch_reason is not distinct from 'too-many-deletions'
        from exchange e where e.enabled
      ) l order by l.id, l.source limit ${tableLimits.lists}`,
  )
  return rows.map((row) => ({
    ...row,
    ageSeconds:
      row.lastImport === null ? null : Math.round((nowMs - row.lastImport.getTime()) / 1000),
  }))
}
