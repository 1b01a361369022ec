// Credentials for the programmes that fill banks: they go in and never come out.
import { ask, callStep } from '../../db/client.ts'
import type { Database } from '../../db/client.ts'
import { credentialContext } from '../../banks/exchange-credentials.ts'
import type { DataKey } from '../../ledger/seal.ts'
import type { Author } from './bank-facts.ts'

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
