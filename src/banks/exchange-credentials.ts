// The credentials of exchanges, sealed: what for, whoever brings them (HMA's interface, or an import), and opened for a fetch.
import type { Database } from '../db/client.ts'
import { ask } from '../db/client.ts'

/** The context of the data key: what was sealed for one exchange opens for no other. */
export function credentialContext(api: string): string {
  return `exchange-credentials/${api}`
}

/** undefined: none were set. Throws what `open` throws when they were sealed with another key. */
export async function readCredentials(
  db: Database,
  api: string,
  key: { open(context: string, sealed: Uint8Array): Buffer },
): Promise<Record<string, unknown> | undefined> {
  const [row] = await ask(
    'read the credentials of an exchange',
    db<{ sealed: Buffer }[]>`select sealed from exchange_credentials where api = ${api}`,
  )
  if (row === undefined) return undefined
  const text = key.open(credentialContext(api), row.sealed).toString()
  return JSON.parse(text) as Record<string, unknown>
}
