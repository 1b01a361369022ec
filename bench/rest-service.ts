// What the benches of our API share: a key without a limit that matters, and the settings of a service to ask.
import { randomBytes } from 'node:crypto'
import { changeKey, idBytes, makeKey, secretBytes, serviceNamed } from '../src/cases/api-keys.ts'
import type { KeyScope } from '../src/cases/api-keys.ts'
import type { Database } from '../src/db/client.ts'
import { principalId } from '../src/steps/withdraw.ts'

/** The limits are on, and looked at for every request. */
const requestsPerSecond = 1_000_000

export async function keyFor(db: Database, scopes: KeyScope[]): Promise<string> {
  const nowMs = Date.now()
  const principal = await principalId(db, { kind: 'person', name: 'bench', nowMs })
  const { id, key, secretSha256 } = makeKey(randomBytes(idBytes + secretBytes))
  const owner = await serviceNamed(db, 'bench-load', nowMs)
  const made = { op: 'create', id, secretSha256, scopes, owner, requestsPerSecond } as const
  await changeKey(db, { ...made, principal, nowMs })
  return key
}

export function restSettings(dataDir: string): Record<string, string> {
  return {
    BLOBWATCH_DATA_DIR: dataDir,
    BLOBWATCH_PUBLIC_PORT: '0',
    // Something to watch, without which no service starts.
    BLOBWATCH_WEBHOOK_SECRET: `whsec_${randomBytes(24).toString('base64')}`,
    LOG_LEVEL: 'WARNING',
  }
}
