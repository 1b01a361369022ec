// The data key for reading: never made here, only found. `serve` makes one.
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Config } from '../config.ts'
import type { Database } from '../db/client.ts'
import { ask } from '../db/client.ts'
import { UsageError } from '../domain/errors.ts'
import { readKeySets } from '../ledger/key-set-file.ts'
import { createDataKey } from '../ledger/seal.ts'
import type { DataKey } from '../ledger/seal.ts'

export function dataKeyFile(config: Pick<Config, 'dataDir'>): string {
  return join(config.dataDir, 'data.key')
}

/** undefined: this machine has none. Throws UsageError when it has one that this database was not made with. */
export async function findDataKey(
  config: Pick<Config, 'dataDir' | 'dataKeyHex'>,
  db: Database,
): Promise<DataKey | undefined> {
  const keyHex = config.dataKeyHex ?? (await readIfThere(dataKeyFile(config)))
  if (keyHex === undefined) return undefined
  const dataKey = createDataKey(keyHex, () => readKeySets(config.dataDir))
  const [deployment] = await ask(
    'read the fingerprint of the data key',
    db<{ id: string | null }[]>`select data_key_id as id from deployment`,
  )
  if (deployment !== undefined && deployment.id !== dataKey.id) {
    throw new UsageError(
      'this database was made with another data key: set BLOBWATCH_DATA_KEY to it',
    )
  }
  return dataKey
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return (await readFile(path, 'utf8')).trim()
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw new UsageError(`${path} cannot be read`, { cause: error })
  }
}
