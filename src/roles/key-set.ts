// Rotates the key set: what seals the keys of accounts. Afterwards every older copy of the table `account_key` is worthless,
// and with it the values of erased accounts in any older backup of the database.
//
// Promises: at every moment each key in use opens with the file as it is; of two rotations at once one is refused.
// A crash leaves a file with the old and the new key; the next rotation finishes.
import { randomBytes } from 'node:crypto'
import type { DatabaseAddress } from '../db/address.ts'
import { ask, callStep } from '../db/client.ts'
import type { Database, Log } from '../db/client.ts'
import { openSession } from '../db/session.ts'
import { UsageError } from '../domain/errors.ts'
import { currentKeySet, keyContext, openAccountKey, refuseKeySet } from '../ledger/account-keys.ts'
import { readKeySets, writeKeySets } from '../ledger/key-set-file.ts'
import { createSealingKey, dataKeySet } from '../ledger/seal.ts'
import type { DataKey } from '../ledger/seal.ts'
import { crashPoint } from '../telemetry/crash-point.ts'

const rowsPerStep = 1000
const rotateLock = 1_651_270_790

export type KeySetOptions = {
  db: Database
  address: DatabaseAddress
  dataDir: string
  dataKey: DataKey
  principal: number
  nowMs: number
  log: Log
}

export type Rotated = {
  /** The name of the new key set. */
  set: string
  resealed: number
  /** Keys of accounts that do not open with anything here; they stay as they are. */
  unopened: number
}

/** Throws UsageError while another rotation runs. */
export async function rotateKeySet(options: KeySetOptions): Promise<Rotated> {
  const { db, dataDir } = options
  await using session = await openSession(options.address, {
    applicationName: 'blobwatch key set',
    log: options.log,
  })
  const [lock] = await session.sql<{ got: boolean }[]>`
    select pg_try_advisory_lock(${rotateLock}) as got`
  if (lock?.got !== true) throw new UsageError('the key set is being rotated by another command')
  const current = await currentKeySet(db)
  if (options.dataKey.keySet(current) === undefined) refuseKeySet(current)
  const { set, keyHex, before } = await beginKeySet(options)
  crashPoint('key-set:moved')
  const { resealed, unopened } = await resealAll(options, set)
  crashPoint('key-set:resealed')
  const inUse = await ask(
    'list the key sets in use',
    db<{ set: string }[]>`select distinct key_set as set from account_key`,
  )
  const needed = new Set(inUse.map((row) => row.set))
  const stay = before.filter((hex) => needed.has(setName(hex)))
  await writeKeySets(dataDir, [...stay, keyHex])
  return { set, resealed, unopened }
}

/**
 * A deployment that lives on one machine gets a key set of its own with its first start, so that no backup of it ever holds
 * keys that the data key opens. Others begin with `backup rotate`, when every machine has a way to the file.
 */
export async function ensureKeySet(options: KeySetOptions): Promise<void> {
  if ((await currentKeySet(options.db)) !== dataKeySet) return
  try {
    await rotateKeySet(options)
  } catch (error) {
    // Another process of this machine does the same at this moment.
    if (!(error instanceof UsageError)) throw error
  }
}

/** A new key set, in the file before anything can be sealed under it. */
export async function beginKeySet(
  options: Pick<KeySetOptions, 'db' | 'dataDir' | 'principal' | 'nowMs'>,
): Promise<{ set: string; keyHex: string; before: string[] }> {
  const before = readKeySets(options.dataDir)
  const keyHex = randomBytes(32).toString('hex')
  const set = setName(keyHex)
  await writeKeySets(options.dataDir, [...before, keyHex])
  crashPoint('key-set:before')
  await callStep(options.db, 'move_key_set_v1', {
    set,
    principal: options.principal,
    now: new Date(options.nowMs),
  })
  return { set, keyHex, before }
}

export function setName(keyHex: string): string {
  return createSealingKey(Buffer.from(keyHex, 'hex')).id
}

async function resealAll(
  { db, dataKey }: KeySetOptions,
  set: string,
): Promise<{ resealed: number; unopened: number }> {
  const setKey = dataKey.keySet(set)
  if (setKey === undefined) throw new TypeError('the new key set was not written')
  const total = { resealed: 0, unopened: 0 }
  for (let after = 0; ;) {
    const rows = await ask(
      'read the keys of accounts',
      db<{ account: number; set: string; sealed: Buffer }[]>`
        select account, key_set as set, sealed from account_key
        where key_set <> ${set} and account > ${after} order by account limit ${rowsPerStep}`,
    )
    const keys = rows.flatMap((row) => {
      const key = openAccountKey(dataKey, row)
      if (key === undefined) return []
      const sealed = setKey.seal(keyContext(row.account), key)
      return [{ account: row.account, was: row.sealed.toString('hex'), sealed }]
    })
    total.unopened += rows.length - keys.length
    const [done] = await callStep<{ resealed: number }[]>(db, 'reseal_account_keys_v1', {
      set,
      keys,
    })
    total.resealed += done?.resealed ?? 0
    if (rows.length < rowsPerStep) return total
    after = rows.at(-1)?.account ?? after
  }
}
