// What does not move by itself: held, waiting, refused to be sent so far, dead; and bank contents set aside by a flood.
import type { ActionKind } from '../domain/bank.ts'
import type { Database } from '../db/client.ts'
import { ask } from '../db/client.ts'

export type HoldRow = {
  state: 'held' | 'planned' | 'released' | 'sending' | 'dead'
  /** Why it is held or waits, or what the last try said. */
  why: string
  kind: ActionKind
  caseNumber: number | null
  actions: number
  oldest: Date
}

/** Grouped, because one flood can hold thousands. `stuckBefore`: released actions younger than this are on their way. */
export async function listHolds(
  db: Database,
  options: { stuckBefore: Date; limit: number; offset: number },
): Promise<HoldRow[]> {
  return ask(
    'list what is held',
    db<HoldRow[]>`
      select a.state, coalesce(a.waiting, a.last_error, 'not taken up') as why, a.kind, c.case_file as "caseNumber",
        count(*) as actions, min(a.created_at) as oldest
      from action a join decision d on d.id = a.decision left join case_blob c on c.blob_cid = d.blob_cid
      where a.state in ('held', 'dead')
        or (a.state = 'planned' and a.waiting is not null)
        or (a.state in ('released', 'sending', 'planned') and coalesce(a.released_at, a.created_at) < ${options.stuckBefore})
      group by 1, 2, 3, 4
      order by c.case_file nulls last, min(a.id)
      limit ${options.limit} offset ${options.offset}`,
  )
}

export type HeldContent = { bank: string; content: number; heldAt: Date; actions: number }

export async function heldContents(db: Database, limit: number): Promise<HeldContent[]> {
  return ask(
    'list the held contents',
    db<HeldContent[]>`
      select b.name as bank, c.id as content, c.held_at as "heldAt",
        (select count(*) from action_cause x join action a on a.id = x.action
          where x.content = c.id and a.state = 'held') as actions
      from bank_content c join bank b on b.id = c.bank
      where c.held_at is not null and c.removed_at is null order by c.held_at limit ${limit}`,
  )
}

export type IdleCase = { caseNumber: number; reason: string; openedAt: Date }

/** Open cases without an action: there a person decides, and nothing permitted would follow. */
export async function casesWithoutAction(db: Database, limit: number): Promise<IdleCase[]> {
  return ask(
    'list the cases without an action',
    db<IdleCase[]>`
      select c.id as "caseNumber", c.reason, c.opened_at as "openedAt" from case_file c
      where c.state = 'open' and not exists (
        select from case_blob b join decision d on d.blob_cid = b.blob_cid join action a on a.decision = d.id
        where b.case_file = c.id)
      order by c.id limit ${limit}`,
  )
}

export type DeadAction = {
  action: number
  kind: ActionKind
  state: 'dead' | 'refused'
  why: string | null
  case: number | null
  endedAt: Date | null
}

/** Given up, newest first: what a person may try again. */
export async function deadActions(db: Database, limit: number): Promise<DeadAction[]> {
  return ask(
    'list the dead actions',
    db<DeadAction[]>`
      select a.id as action, a.kind, a.state, a.last_error as why, c.case_file as "case", a.ended_at as "endedAt"
      from action a join decision d on d.id = a.decision left join case_blob c on c.blob_cid = d.blob_cid
      where a.state = 'dead' order by a.id desc limit ${limit}`,
  )
}
