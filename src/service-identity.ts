// Who this deployment is, and the key that seals personal values: made once, the same for every process.
import { randomUUID } from 'node:crypto'
import { mkdir, open, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Config } from './config.ts'
import { callStep } from './db/client.ts'
import type { Database } from './db/client.ts'
import { UsageError } from './domain/errors.ts'
import { readKeySets } from './ledger/key-set-file.ts'
import { createDataKey, generateDataKey } from './ledger/seal.ts'
import type { DataKey } from './ledger/seal.ts'

export type Identity = {
  deploymentId: string
  /** The ledger's origin. */
  log: string
  dataKey: DataKey
  /** Where the key came from, for doctor: a generated one has to be backed up. */
  dataKeyFile: string | undefined
}

export async function joinDeployment(
  db: Database,
  config: Config,
  nowMs: number,
): Promise<Identity> {
  const { keyHex, file } = await findDataKey(config)
  const dataKey = createDataKey(keyHex, () => readKeySets(config.dataDir))
  const [row] = await callStep<{ id: string; data_key_id: string }[]>(db, 'deployment_v1', {
    id: randomUUID(),
    dataKeyId: dataKey.id,
    now: new Date(nowMs),
  })
  if (row === undefined) throw new TypeError('deployment_v1 answers with one row')
  if (row.data_key_id !== dataKey.id) {
    throw new UsageError(
      'this database was made with another data key: give every process the same BLOBWATCH_DATA_KEY ' +
        '(or BLOBWATCH_DATA_KEY_FILE), or restore data.key in the data folder from your backup',
    )
  }
  return {
    deploymentId: row.id,
    log: config.logName ?? `blobwatch/${row.id}`,
    dataKey,
    dataKeyFile: file,
  }
}

async function findDataKey(config: Config): Promise<{ keyHex: string; file: string | undefined }> {
  if (config.dataKeyHex !== undefined) return { keyHex: config.dataKeyHex, file: undefined }
  const file = join(config.dataDir, 'data.key')
  await mkdir(config.dataDir, { recursive: true })
  try {
    const handle = await open(file, 'wx', 0o600)
    const keyHex = generateDataKey()
    await handle.writeFile(`${keyHex}\n`)
    await handle.sync()
    await handle.close()
    return { keyHex, file }
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error
  }
  const { mode } = await stat(file)
  if ((mode & 0o077) !== 0) {
    throw new UsageError(`${file} can be read by others: chmod 600 ${file}`)
  }
  return { keyHex: (await readFile(file, 'utf8')).trim(), file }
}
