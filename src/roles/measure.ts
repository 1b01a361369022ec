// Levels that only the database knows, for /metrics.
import { ask } from '../db/client.ts'
import { evidenceLevels } from '../evidence/evidence-rows.ts'
import type { Parts } from '../service.ts'

export async function measure({ db, telemetry, clock }: Pick<Parts, 'db' | 'telemetry' | 'clock'>) {
  const [row] = await ask(
    'measure the levels',
    db<
      {
        gaps: number
        backlog: number
        oldest: Date | null
        held: number
        dead: number
        entries: number
        failing: number
        fetched: Date | null
      }[]
    >`
      select
        (select count(*) from ingest_gap where closed_at is null) as gaps,
        (select count(*) from job where kind = 'scan') as backlog,
        (select min(created_at) from job where kind = 'scan') as oldest,
        (select count(*) from action where state = 'held') as held,
        (select count(*) from action where state = 'dead') as dead,
        (select coalesce(max(size), 0) from ledger_head) as entries,
        (select count(*) from exchange where enabled and failures > 0) as failing,
        (select min(succeeded_at) from exchange where enabled) as fetched`,
  )
  if (row === undefined) return
  const evidence = await evidenceLevels(db, clock())
  telemetry.measured({
    blobwatch_open_gaps: row.gaps,
    blobwatch_backlog_jobs: row.backlog,
    blobwatch_backlog_oldest_seconds:
      row.oldest === null ? 0 : (clock() - row.oldest.getTime()) / 1000,
    blobwatch_actions_held: row.held,
    blobwatch_actions_dead: row.dead,
    blobwatch_ledger_entries: row.entries,
    blobwatch_exchanges_failing: row.failing,
    blobwatch_exchange_success_age_seconds:
      row.fetched === null ? 0 : (clock() - row.fetched.getTime()) / 1000,
    blobwatch_evidence_kept: evidence.kept + evidence.sealed,
    blobwatch_evidence_overdue: evidence.overdue,
  })
}
