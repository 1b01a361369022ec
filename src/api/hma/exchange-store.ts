// Exchanges in the database, as somebody set them up. Nothing in this version fetches from one.
import { ask, callStep } from '../../db/client.ts'
import type { Database } from '../../db/client.ts'
import { credentialContext } from '../../banks/exchange-credentials.ts'
import { policyDefaults } from '../../domain/bank.ts'
import type { DataKey } from '../../ledger/seal.ts'
import { removalContentsMax } from './bank-facts.ts'
import type { Author } from './bank-facts.ts'

export type Exchange = {
  name: string
  api: string
  config: Record<string, unknown>
  enabled: boolean
  checkpointAt: Date | null
  fetchStartedAt: Date | null
  fetchEndedAt: Date | null
  fetchOk: boolean | null
  upToDate: boolean | null
  fetchedItems: number
}

export async function listExchanges(db: Database): Promise<string[]> {
  const rows = await ask(
    'list the exchanges',
    db<{ name: string }[]>`select name from exchange order by created_at, name`,
  )
  return rows.map(({ name }) => name)
}

export async function readExchange(db: Database, name: string): Promise<Exchange | undefined> {
  const [row] = await ask(
    'read an exchange',
    db<Exchange[]>`
      select name, api, config, enabled, checkpoint_at as "checkpointAt", fetch_started_at as "fetchStartedAt",
        fetch_ended_at as "fetchEndedAt", fetch_ok as "fetchOk", up_to_date as "upToDate", fetched_items as "fetchedItems"
      from exchange where name = ${name}`,
  )
  return row
}

/** With a bank of the same name: restricted, confidential, in observe. Throws UsageError when the name is taken. */
export async function createExchange(
  db: Database,
  input: { name: string; api: string; config: object } & Author,
): Promise<void> {
  await change(db, 'create', { ...input, policy: policyDefaults })
}

export async function setExchange(
  db: Database,
  input: { name: string; enabled: boolean } & Author,
): Promise<void> {
  await change(db, 'set', input)
}

/** With its bank. Of an exchange that is not there it does nothing. */
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

export async function hasCredentials(db: Database, api: string): Promise<boolean> {
  const rows = await ask(
    'look for credentials',
    db`select 1 from exchange_credentials where api = ${api}`,
  )
  return rows.length > 0
}

/** Sealed under the data key. undefined takes them away. */
export async function setCredentials(
  db: Database,
  input: { api: string; values: object | undefined; dataKey: DataKey } & Author,
): Promise<void> {
  const { api, values, dataKey, principal, nowMs } = input
  const sealed = values && dataKey.seal(credentialContext(api), Buffer.from(JSON.stringify(values)))
  await callStep(db, 'set_exchange_credentials_v1', {
    api,
    sealed,
    principal,
    now: new Date(nowMs),
  })
}
