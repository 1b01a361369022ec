// What a person has stopped and not let go on yet.
import type { Database } from '../db/client.ts'
import { ask } from '../db/client.ts'

export type PauseRow = {
  scope: 'all' | 'bank' | 'kind'
  /** A bank's name or a kind of action; empty for all. */
  target: string
  reason: string
  by: string
  at: Date
}

export async function pausesInForce(db: Database): Promise<PauseRow[]> {
  return ask(
    'read the pauses',
    db<PauseRow[]>`
      select p.scope, coalesce(b.name, p.target) as target, p.reason, w.name as by, p.at
      from pause p join principal w on w.id = p.principal
        left join bank b on p.scope = 'bank' and b.id::text = p.target
      where p.resumed_at is null order by p.id`,
  )
}
