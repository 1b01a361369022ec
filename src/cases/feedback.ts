// What people said about contents: read only. It names material to the operator, and to nobody else.
import type { Database } from '../db/client.ts'
import { ask } from '../db/client.ts'
import type { Hex } from '../domain/blob.ts'

export type FeedbackRow = {
  id: number
  at: Date
  who: string
  verdict: 'harmful' | 'not-harmful'
  cid: Hex | null
  /** null: said of no bank's content. */
  bank: string | null
  content: number | null
  caseNumber: number | null
  note: string | null
  /** When an exchange was told. */
  exportedAt: Date | null
}

/** Newest first. `content`: with what it was before a person moved it. */
export async function listFeedback(
  db: Database,
  filter: {
    bank?: number
    content?: number
    verdict?: FeedbackRow['verdict']
    since?: Date
    notExported?: boolean
    limit: number
    offset: number
  },
): Promise<FeedbackRow[]> {
  const { bank = null, content = null, verdict = null, since = null } = filter
  return ask(
    'list the feedback',
    db<FeedbackRow[]>`
      select f.id, f.at, p.name as who, f.verdict, encode(f.blob_cid, 'hex') as cid, b.name as bank, f.content,
        f.case_file as "caseNumber", f.note, f.exported_at as "exportedAt"
      from feedback f join principal p on p.id = f.principal left join bank b on b.id = f.bank
      where (${bank}::integer is null or f.bank = ${bank})
        and (${content}::integer is null or f.content in (select moved_chain(content_now(${content}))))
        and (${verdict}::text is null or f.verdict = ${verdict})
        and (${since}::timestamptz is null or f.at >= ${since})
        and (not ${filter.notExported ?? false}::boolean or f.exported_at is null)
      order by f.id desc limit ${filter.limit} offset ${filter.offset}`,
  )
}

export type CaseContent = {
  content: number
  bank: string
  /** Pictures of the case that it matched, where the match counts. */
  blobs: number
  reviewed: 'confirmed' | 'deconfirmed' | null
  reviewedAt: Date | null
  /** HMA's: 0 disabled, 1 enabled, else disabled until that unix second. */
  disableUntilTs: number
  removed: boolean
}

/** The contents, as they are now, that a person's word about the case is about. */
export async function caseContents(
  db: Database,
  caseNumber: number,
  limit: number,
): Promise<CaseContent[]> {
  return ask(
    'read the contents behind the case',
    db<CaseContent[]>`
      select c.id as content, b.name as bank, count(*) as blobs, c.reviewed, c.reviewed_at as "reviewedAt",
        c.disable_until_ts as "disableUntilTs", c.removed_at is not null as removed
      from counted_in_case(${caseNumber}) x
      join bank_content c on c.id = x.content join bank b on b.id = c.bank
      group by c.id, b.name order by c.id limit ${limit}`,
  )
}

/** Whether anything is known about the blob here: seen, scanned or decided. */
export async function isBlobKnown(db: Database, cid: Hex): Promise<boolean> {
  const rows = await ask(
    'look for the blob',
    db`
      select from blob b where b.blob_cid = decode(${cid}, 'hex')
      union all
      select from sighting s
      where blob_key(s.blob_cid) = blob_key(decode(${cid}, 'hex')) and s.blob_cid = decode(${cid}, 'hex')
      limit 1`,
  )
  return rows.length > 0
}
