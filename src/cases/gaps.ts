// Stretches of a stream that we know we did not see.
import type { Database } from '../db/client.ts'
import { ask } from '../db/client.ts'

export type GapRow = {
  id: number
  source: string
  host: string
  reason: string
  /** Set when one account's records changed unseen. */
  did: string | null
  fromSeq: number | null
  toSeq: number | null
  fromTime: Date | null
  toTime: Date | null
  at: Date
  closedAt: Date | null
}

/** Open ones first, newest first. */
export async function listGaps(
  db: Database,
  options: { openOnly: boolean; limit: number; offset: number },
): Promise<GapRow[]> {
  return ask(
    'list the gaps',
    db<GapRow[]>`
      select g.id, g.source, g.host, g.reason, a.did, g.from_seq as "fromSeq", g.to_seq as "toSeq",
        g.from_time as "fromTime", g.to_time as "toTime", g.at, g.closed_at as "closedAt"
      from ingest_gap g left join account a on a.id = g.account
      where not ${options.openOnly} or g.closed_at is null
      order by g.closed_at is not null, g.id desc limit ${options.limit} offset ${options.offset}`,
  )
}
