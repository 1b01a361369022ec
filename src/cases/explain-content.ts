// One bank content: what it is, what it matched and what that caused. Values of signals come out for comparing only.
import type { Database } from '../db/client.ts'
import { ask } from '../db/client.ts'
import type { AnySignalType, Hex } from '../domain/blob.ts'
import type { Variant } from '../domain/variant.ts'
import { UsageError } from '../domain/errors.ts'

export type ContentFacts = {
  id: number
  bank: string
  note: string | null
  metadata: unknown
  provenance: unknown
  source: string | null
  sourceKey: string | null
  addedAt: Date
  removedAt: Date | null
  movedTo: number | null
  /** HMA's: 0 disabled, 1 enabled, else disabled until that unix second. */
  disableUntilTs: number
  /** Set aside by a flood. */
  heldAt: Date | null
  reviewed: 'confirmed' | 'deconfirmed' | null
  reviewedAt: Date | null
  signals: { type: AnySignalType; quality: number | null; state: 'live' | 'removed' }[]
  admission: { id: number; verdict: string; at: string; by: string; result: unknown } | null
  feedback: { harmful: number; notHarmful: number }
}

/** Throws UsageError when there is no such content. */
export async function contentFacts(db: Database, content: number): Promise<ContentFacts> {
  const [row] = await ask(
    'read the content',
    db<ContentFacts[]>`
      select c.id, b.name as bank, c.note, c.metadata, c.provenance, c.source, c.source_key as "sourceKey",
        c.created_at as "addedAt", c.removed_at as "removedAt", c.moved_to as "movedTo",
        c.disable_until_ts as "disableUntilTs", c.held_at as "heldAt", c.reviewed, c.reviewed_at as "reviewedAt",
        coalesce((select jsonb_agg(jsonb_build_object('type', s.type, 'quality', s.quality, 'state', s.state) order by s.type, s.id)
          from bank_signal s where s.content = c.id), '[]') as signals,
        (select jsonb_build_object('id', a.id, 'verdict', a.verdict, 'at', a.at, 'by', p.name, 'result', a.result)
          from admission a join principal p on p.id = a.principal where a.id = c.admission) as admission,
        (select jsonb_build_object('harmful', count(*) filter (where f.verdict = 'harmful'),
            'notHarmful', count(*) filter (where f.verdict = 'not-harmful'))
          from feedback f where f.content = c.id) as feedback
      from bank_content c join bank b on b.id = c.bank where c.id = ${content}`,
  )
  if (row === undefined) throw new UsageError(`there is no content ${content}`)
  return row
}

export type MatchBand = {
  type: AnySignalType
  distance: number
  variant: Variant
  blobs: number
  /** Of these, kept from counting by a ratio and by banks of harmless pictures. */
  ratio: number
  negative: number
}

/** What it matched since then, by type, distance and variant. */
export async function matchBands(db: Database, content: number, since: Date): Promise<MatchBand[]> {
  return ask(
    'count what the content matched',
    db<MatchBand[]>`
      select type, distance, variant, count(distinct blob_cid) as blobs,
        count(distinct blob_cid) filter (where set_aside = 'ratio') as ratio,
        count(distinct blob_cid) filter (where set_aside = 'negative') as negative
      from match where content = ${content} and at >= ${since}
      group by type, distance, variant order by type, distance, variant limit 500`,
  )
}

export type CausedActions = { kind: string; applied: boolean; state: string; actions: number }

/** Actions since then of which it is a cause. */
export async function actionsCaused(
  db: Database,
  content: number,
  since: Date,
): Promise<CausedActions[]> {
  return ask(
    'count what the content caused',
    db<CausedActions[]>`
      select a.kind, a.applied, a.state, count(*) as actions
      from action_cause ac join action a on a.id = ac.action
      where ac.content = ${content} and a.created_at >= ${since}
      group by a.kind, a.applied, a.state order by a.kind, a.applied desc, a.state`,
  )
}

/** Every blob that it matched, however long ago, and how near the nearest signal came; where no distance of a bank moves it: 0. */
export async function matchedBlobs(
  db: Database,
  content: number,
  limit: number,
): Promise<{ cid: Hex; distance: number }[]> {
  return ask(
    'read what the content matched',
    db<{ cid: Hex; distance: number }[]>`
      select encode(blob_cid, 'hex') as cid, min(case when type in ('pdq', 'clip') then distance else 0 end) as distance
      from match where content = ${content} group by blob_cid limit ${limit}`,
  )
}

/** For comparing with stored blobs; never shown. Of a removed content, what it had last. */
export async function pdqValues(db: Database, content: number): Promise<Hex[]> {
  const rows = await ask(
    'read the signals of the content',
    db<{ value: Hex }[]>`
      select encode(value, 'hex') as value from bank_signal where content = ${content} and type = 'pdq' order by id`,
  )
  return rows.map((row) => row.value)
}
