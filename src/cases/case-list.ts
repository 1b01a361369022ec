// The cases as a worklist.
import type { Database } from '../db/client.ts'
import { ask } from '../db/client.ts'

export const caseStates = ['open', 'acted', 'confirmed', 'released', 'overturned'] as const
export type CaseState = (typeof caseStates)[number]

export type CaseRow = {
  id: number
  state: CaseState
  reason: string
  openedAt: Date
  decidedAt: Date | null
  decidedBy: string | null
  blobs: number
  accounts: number
  banks: string[]
  /** Actions that wait for the decision. */
  held: number
  appeals: number
  appealsOpen: number
}

/**
 * Open cases oldest first, others newest first; with `appealed` those with an open appeal before the others. `after`: only
 * what follows that case; not with `appealed`.
 */
export async function listCases(
  db: Database,
  options: {
    state: CaseState | 'all'
    appealed?: boolean
    after?: number
    limit: number
    offset: number
  },
): Promise<CaseRow[]> {
  const { state, appealed = false } = options
  const after = options.after ?? null
  return ask(
    'list the cases',
    db<CaseRow[]>`
      select c.id, c.state, c.reason, c.opened_at as "openedAt", c.decided_at as "decidedAt", p.name as "decidedBy",
        (select count(*) from case_blob b where b.case_file = c.id) as blobs,
        (select count(distinct d.account) from case_blob b join decision d on d.blob_cid = b.blob_cid
          where b.case_file = c.id) as accounts,
        array(select distinct k.name from case_blob b join match m on m.blob_cid = b.blob_cid and m.set_aside is null
          join bank k on k.id = m.bank where b.case_file = c.id order by k.name) as banks,
        (select count(*) from case_blob b join decision d on d.blob_cid = b.blob_cid
          join action a on a.decision = d.id where b.case_file = c.id and a.state = 'held') as held,
        (select count(*) from appeal a where a.case_file = c.id) as appeals,
        (select count(*) from appeal a where a.case_file = c.id and a.outcome is null) as "appealsOpen"
      from case_file c left join principal p on p.id = c.decided_by
      where (${state} = 'all' or c.state = ${state})
        and (${after}::integer is null or case when ${state} = 'open' then c.id > ${after} else c.id < ${after} end)
        and (not ${appealed} or exists (select from appeal a where a.case_file = c.id))
      order by ${appealed} and not exists (select from appeal a where a.case_file = c.id and a.outcome is null),
        case when ${state} = 'open' then c.id else -c.id end
      limit ${options.limit} offset ${options.offset}`,
  )
}
