// What people objected to, a row for each appeal.
import type { Database } from '../db/client.ts'
import { ask } from '../db/client.ts'

export type AppealRow = {
  id: number
  receivedAt: Date
  /** null: still open. */
  outcome: 'upheld' | 'rejected' | null
  resolvedAt: Date | null
  resolvedBy: string | null
}

const appealsShownMax = 1000

/** Oldest first. */
export async function appealsOf(db: Database, caseNumber: number): Promise<AppealRow[]> {
  return ask(
    'read the appeals',
    db<AppealRow[]>`
      select a.id, a.received_at as "receivedAt", a.outcome, a.resolved_at as "resolvedAt", p.name as "resolvedBy"
      from appeal a left join principal p on p.id = a.resolved_by
      where a.case_file = ${caseNumber} order by a.id limit ${appealsShownMax}`,
  )
}
