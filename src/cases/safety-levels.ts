// The levels that tell whether anything is wrong, in one look.
import type { Database } from '../db/client.ts'
import { ask } from '../db/client.ts'

export type SafetyLevels = {
  /** Released in the last 24 hours. */
  takedowns: number
  labels: number
  openCases: number
  held: number
  heldContents: number
  dead: number
  openGaps: number
  /** Facts that are no entries yet. */
  intake: number
  intakeOldest: Date | null
  openIntents: number
}

export async function safetyLevels(db: Database, nowMs: number): Promise<SafetyLevels> {
  const since = new Date(nowMs - 86_400_000)
  const [row] = await ask(
    'read the levels',
    db<SafetyLevels[]>`
      select
        (select count(*) from action where released_at > ${since} and applied and kind <> 'label') as takedowns,
        (select count(*) from action where released_at > ${since} and applied and kind = 'label') as labels,
        (select count(*) from case_file where state = 'open') as "openCases",
        (select count(*) from action where state = 'held') as held,
        (select count(*) from bank_content where held_at is not null and removed_at is null) as "heldContents",
        (select count(*) from action where state = 'dead') as dead,
        (select count(*) from ingest_gap where closed_at is null) as "openGaps",
        (select count(*) from ledger_intake) as intake,
        (select min(at) from ledger_intake) as "intakeOldest",
        (select count(*) from action where intent_seq is not null and result_seq is null) as "openIntents"`,
  )
  if (row === undefined) throw new TypeError('the levels are one row')
  return row
}
