// Exchanges in the database: as people set them up, and what became of fetching from them.
import { ask, callStep } from '../db/client.ts'
import type { Database } from '../db/client.ts'
import { policyDefaults, removalContentsMax } from '../domain/bank.ts'
import type { BankClass } from '../domain/bank.ts'

/** Of one step: scans wait meanwhile. */
const emptyContentsMax = 5_000

export type Exchange = {
  name: string
  bank: number
  api: string
  config: Record<string, unknown>
  enabled: boolean
  createdAt: Date
  /** Up to when the programme's changes are here, as far as it tells. */
  checkpointAt: Date | null
  /** null: nobody fetches from it now. */
  runningSince: Date | null
  fetchEndedAt: Date | null
  fetchOk: boolean | null
  /** Why the last fetch failed: a word of ours. */
  fetchReason: string | null
  failures: number
  /** null: as soon as somebody can. */
  nextFetchAt: Date | null
  succeededAt: Date | null
  upToDate: boolean | null
  /** Items of the programme that are here. */
  fetchedItems: number
  /** What stayed out since the beginning, by reason. */
  leftOut: Record<string, number>
}

/** In the order in which they were made. */
export async function readExchanges(
  db: Database,
  { nowMs, name }: { nowMs: number; name?: string },
): Promise<Exchange[]> {
  return ask(
    'read the exchanges',
    db<Exchange[]>`
      select name, bank, api, config, enabled, created_at as "createdAt", checkpoint_at as "checkpointAt",
        case when lease_until > ${new Date(nowMs)} then fetch_started_at end as "runningSince",
        fetch_ended_at as "fetchEndedAt", fetch_ok as "fetchOk", fetch_reason as "fetchReason", failures,
        case when not asked then next_fetch_at end as "nextFetchAt", succeeded_at as "succeededAt", up_to_date as "upToDate",
        fetched_items as "fetchedItems", left_out as "leftOut"
      from exchange where ${name === undefined} or name = ${name ?? ''} order by created_at, name`,
  )
}

export async function readExchange(
  db: Database,
  input: { nowMs: number; name: string },
): Promise<Exchange | undefined> {
  const [found] = await readExchanges(db, input)
  return found
}

export type Author = { principal: number; nowMs: number }

/** With a bank of the same name: restricted unless said, confidential, in observe. Throws UsageError when the name is taken. */
export async function createExchange(
  db: Database,
  input: {
    name: string
    api: string
    config: object
    class?: BankClass
    enabled?: boolean
  } & Author,
): Promise<void> {
  await change(db, 'create', { ...input, policy: policyDefaults })
}

/** Switched on it is fetched at once; switched off, what is on its way comes in no more. */
export async function setExchange(
  db: Database,
  input: { name: string; enabled: boolean } & Author,
): Promise<void> {
  await change(db, 'set', input)
}

/**
 * At once, whenever it would be due. `allowDeletions`: until it is up to date it may lose more than it may by itself.
 * `fromStart`: from the programme's beginning; what it does not tell again stays as it is.
 */
export async function askForFetch(
  db: Database,
  input: { name: string; allowDeletions: boolean; fromStart: boolean } & Author,
): Promise<void> {
  await change(db, 'fetch', input)
}

/** With its bank, however large: it is switched off and emptied first. Killed in between, the same call goes on. */
export async function removeLargeExchange(
  db: Database,
  input: { name: string; onProgress: (removed: number) => void } & Author,
): Promise<void> {
  const { name, onProgress, principal, nowMs } = input
  await setExchange(db, { name, enabled: false, principal, nowMs })
  for (let removed = 0; ;) {
    const [row] = await callStep<{ removed: number }[]>(db, 'empty_exchange_v1', {
      ...{ name, principal, limit: emptyContentsMax, now: new Date(nowMs) },
    })
    removed += row?.removed ?? 0
    onProgress(removed)
    if ((row?.removed ?? 0) < emptyContentsMax) break
  }
  await removeExchange(db, { name, principal, nowMs })
}

/** With its bank. Of an exchange that is not there it does nothing. Throws UsageError where the bank is too large for one step. */
export async function removeExchange(
  db: Database,
  input: { name: string } & Author,
): Promise<void> {
  await change(db, 'remove', { ...input, contentsMax: removalContentsMax })
}

async function change(db: Database, op: string, input: Author & Record<string, unknown>) {
  const { nowMs, ...rest } = input
  await callStep(db, 'change_exchange_v1', { op, ...rest, now: new Date(nowMs) })
}
