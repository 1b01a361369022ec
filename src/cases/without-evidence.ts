// Blobs of a case of which nothing is kept although a bank that matched asks for it.
import type { Database } from '../db/client.ts'
import { ask } from '../db/client.ts'

/** How many blobs; a copy that is being destroyed counts as none. */
export async function withoutEvidence(db: Database, caseNumber: number): Promise<number> {
  const [row] = await ask(
    'look for evidence of a case',
    db<{ blobs: number }[]>`
      select count(distinct d.blob_cid)::integer as blobs
      from case_blob cb
      join decision d on d.blob_cid = cb.blob_cid and d.outcome = 'held'
      join match m on m.blob_cid = d.blob_cid
      join bank b on b.id = m.bank and (b.policy->>'preserve')::boolean
      where cb.case_file = ${caseNumber} and not exists (
        select from evidence e
        where e.blob_cid = d.blob_cid and e.account = d.account and e.state <> 'destroyed'
          and e.going is distinct from 'both'
      )`,
  )
  return row?.blobs ?? 0
}
