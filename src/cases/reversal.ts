// What reversals did, and how each of their actions stands now: read only.
import type { Database } from '../db/client.ts'
import { ask } from '../db/client.ts'
import type { ActionKind } from '../domain/bank.ts'
import type { Hex } from '../domain/blob.ts'
import { UsageError } from '../domain/errors.ts'
import { parseKeyId } from './api-keys.ts'
import type { Place } from './about.ts'

export type ReversalHead = {
  id: number
  at: Date
  who: string
  /** What was chosen, in the words it was asked in: content, bank, principal or key; since and until. */
  words: Record<string, string | number>
  since: Date | null
  until: Date | null
  disables: boolean
  reason: string | null
  /** null: open; it goes on where it stopped. */
  endedAt: Date | null
}

/**
 * stopped: nothing was ever sent. undone: the other side has it undone. gone: it is not there any more. under-way: the
 * undo is on its way. other-cause: stays, another content wants it. The rest could not be undone.
 */
export const reversalStates = [
  'stopped',
  'undone',
  'gone',
  'under-way',
  'other-cause',
  'nothing-to-undo',
  'not-ours',
  'refused',
  'dead',
  'acted-again',
] as const
export type ReversalState = (typeof reversalStates)[number]

/** What a person has to know of: it is not undone, or not yet known to be. */
export const notUndoneStates = [
  'not-ours',
  'refused',
  'dead',
  'acted-again',
  'other-cause',
] as const satisfies ReversalState[]

export async function listReversals(
  db: Database,
  page: { limit: number; offset: number },
): Promise<(ReversalHead & { actions: number })[]> {
  return ask(
    'list the reversals',
    db<(ReversalHead & { actions: number })[]>`
      select ${headColumns(db)}, (select count(*) from reversal_action a where a.reversal = r.id) as actions
      from reversal r join principal p on p.id = r.principal
      order by r.id desc limit ${page.limit} offset ${page.offset}`,
  )
}

/** Throws UsageError when there is no such reversal. */
export async function reversalHead(db: Database, reversal: number): Promise<ReversalHead> {
  const [head] = await ask(
    'find the reversal',
    db<ReversalHead[]>`
      select ${headColumns(db)} from reversal r join principal p on p.id = r.principal where r.id = ${reversal}`,
  )
  if (head === undefined) throw new UsageError(`there is no reversal ${reversal}`)
  return head
}

/** The open run that was asked for in the same words. */
export async function openReversal(
  db: Database,
  words: Record<string, string | number>,
): Promise<ReversalHead | undefined> {
  const [head] = await ask(
    'look for an open reversal',
    db<ReversalHead[]>`
      select ${headColumns(db)} from reversal r join principal p on p.id = r.principal
      where r.ended_at is null and r.scope->'as' = ${db.json(words)}::jsonb order by r.id limit 1`,
  )
  return head
}

function headColumns(db: Database) {
  return db`
    r.id, r.at, p.name as who, r.scope->'as' as words, (r.scope->>'since')::timestamptz as since,
    (r.scope->>'until')::timestamptz as until, coalesce((r.scope->>'disables')::boolean, false) as disables, r.reason,
    r.ended_at as "endedAt"`
}

export type ReversalCount = { kind: ActionKind; state: ReversalState; actions: number }

export async function reversalCounts(db: Database, reversal: number): Promise<ReversalCount[]> {
  return ask(
    'count the reversal',
    db<ReversalCount[]>`
      select x.kind, x.state, count(*) as actions from (${actionsNow(db, reversal)}) x group by 1, 2 order by 1, 2`,
  )
}

export type ReversalActionRow = Place & {
  action: number
  kind: ActionKind
  state: ReversalState
  cid: Hex
  /** What the other side last said of the undo. */
  lastError: string | null
  /** Of what stays: banks that want it now. Empty: none any more, a new reversal takes it back. */
  banks: string[]
}

/** How the actions of a reversal stand now, the undo's retries included. */
export async function reversalActions(
  db: Database,
  options: {
    reversal: number
    states: readonly ReversalState[]
    now: Date
    limit: number
    offset: number
  },
): Promise<ReversalActionRow[]> {
  return ask(
    'read the actions of the reversal',
    db<ReversalActionRow[]>`
      with x as (
        select * from (${actionsNow(db, options.reversal)}) n
        where n.state = any (${[...options.states]}::text[])
        order by n.action limit ${options.limit} offset ${options.offset}
      ), kept as (
        select f.action, array(
          select distinct b.name from bank_content c join bank b on b.id = c.bank where c.id = any (f.others) order by 1) as banks
        from reversal_fates((select scope from reversal where id = ${options.reversal}),
          array(select x.action from x where x.state = 'other-cause'), ${options.now}) f
      )
      select x.action, x.kind, x.state, a.did, s.account, s.collection, s.rkey,
        encode(coalesce(s.blob_cid, d.blob_cid), 'hex') as cid, x.last_error as "lastError",
        coalesce(k.banks, '{}'::text[]) as banks
      from x left join kept k on k.action = x.action
      join subject s on s.id = x.subject join account a on a.id = s.account join decision d on d.id = x.decision
      order by x.action`,
  )
}

/** An undo that a person tried again is followed to its last try. */
function actionsNow(db: Database, reversal: number) {
  return db`
    select r.action, a.kind, a.subject, a.decision, u.last_error,
      case
        when r.outcome <> 'reversing' then r.outcome
        when u.state = 'done' and u.detail->>'note' = 'not-found' then 'gone'
        when u.state = 'done' then 'undone'
        when u.state = 'refused' and u.last_error = 'not-ours' then 'not-ours'
        when u.state in ('refused', 'dead') then u.state
        when u.state = 'superseded' then 'acted-again'
        else 'under-way'
      end as state
    from reversal_action r join action a on a.id = r.action
    left join lateral (
      select n.* from action f join action n on n.subject = f.subject and n.kind = f.kind and n.undoes = f.undoes
        and n.revision >= f.revision and not n.applied
      where f.id = r.undo order by n.revision desc limit 1
    ) u on true
    where r.reversal = ${reversal}`
}

export type KeyOwner = {
  principal: number
  name: string
  createdAt: Date
  /** When it was revoked or ran out. */
  validUntil: Date | null
}

/** Throws UsageError when nobody has such a key. */
export async function ownerOfKey(db: Database, key: string): Promise<KeyOwner> {
  const id = parseKeyId(key)
  const [owner] = await ask(
    'find the key',
    db<KeyOwner[]>`
      select k.principal, p.name, k.created_at as "createdAt",
        least(k.revoked_at, k.expires_at) as "validUntil"
      from api_key k join principal p on p.id = k.principal where k.id = ${id}`,
  )
  if (owner === undefined) throw new UsageError(`there is no key ${id}: key list shows them`)
  return owner
}

/** Throws UsageError when nobody is registered under this name. */
export async function principalNamed(db: Database, name: string): Promise<number> {
  const [row] = await ask(
    'find the principal',
    db<{ id: number }[]>`select id from principal where name = ${name}`,
  )
  if (row === undefined) throw new UsageError(`nobody is registered as '${name}'`)
  return row.id
}

export type ContentHead = { content: number; bank: string; disabled: boolean; removed: boolean }

/** As it is now. Throws UsageError when there was never such a content. */
export async function contentHead(db: Database, content: number): Promise<ContentHead> {
  const [row] = await ask(
    'find the content',
    db<ContentHead[]>`
      select c.id as content, b.name as bank, c.disable_until_ts <> 1 as disabled, c.removed_at is not null as removed
      from bank_content c join bank b on b.id = c.bank where c.id = content_now(${content})`,
  )
  if (row === undefined) throw new UsageError(`there is no content ${content}`)
  return row
}

/** Ids and names. */
export async function bankNames(
  db: Database,
  banks: readonly number[],
): Promise<Map<number, string>> {
  const rows = await ask(
    'read the names of the banks',
    db<
      { id: number; name: string }[]
    >`select id, name from bank where id = any (${[...banks]}::integer[])`,
  )
  return new Map(rows.map((row) => [row.id, row.name]))
}
