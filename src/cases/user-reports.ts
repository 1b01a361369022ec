// What users said through a program that may report, as it is read.
import type { Database } from '../db/client.ts'
import { ask } from '../db/client.ts'

export type UserReportRow = {
  id: string
  at: Date
  /** The service that handed it in. */
  by: string
  /** Of the account that it is about; null: it named none that could be found. */
  did: string | null
  contentId: string
  reason: string
}

/** Newest first. */
export async function listUserReports(
  db: Database,
  options: { did: string | undefined; limit: number; offset: number },
): Promise<UserReportRow[]> {
  const { did = null } = options
  return ask(
    'list the reports of users',
    db<UserReportRow[]>`
      select r.id, r.at, p.name as by, a.did, r.content_id as "contentId", r.reason
      from user_report r join principal p on p.id = r.principal left join account a on a.id = r.account
      where ${did}::text is null or a.did = ${did}
      order by r.at desc, r.id limit ${options.limit} offset ${options.offset}`,
  )
}
