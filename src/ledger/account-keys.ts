// The keys of accounts: a random one each, sealed under a key set. Erasing an account deletes its key.
//
// Promises: a key is durable before anything is sealed under it; of two sequencers that make one for the same account,
// both use the one that is stored; keys are read with one query a batch.
// A crash leaves a key that the next entry of the account uses.
import { randomBytes } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import type { Database } from '../db/client.ts'
import { ask, callStep } from '../db/client.ts'
import type { Hex } from '../domain/blob.ts'
import { FatalError, RetryableError } from '../domain/errors.ts'
import { crashPoint } from '../telemetry/crash-point.ts'
import { createSealingKey } from './seal.ts'
import type { DataKey, SealingKey } from './seal.ts'

export const accountKeyLimits = {
  bytes: 32,
  /** Keys in memory. An erased account's is never used again: nothing personal of it gets into the intake. */
  kept: 20_000,
  /** The key set moves while a key is made: rarely, and never twice. */
  tries: 5,
} as const

/** The first byte of a value that is sealed under its account's key; a value of before has a random byte there. */
export const accountKeyMark = 0x01

/** What seals a value of this account, or of none: hex with its mark. */
export type SealFor = (account: number | null, context: string, plain: Uint8Array) => Hex

type KeyRow = { account: number; set: string; sealed: Buffer }

export function createAccountKeys(options: { db: Database; dataKey: DataKey }) {
  const { db, dataKey } = options
  const kept = new LRUCache<number, SealingKey>({ max: accountKeyLimits.kept })

  async function makeMissing(accounts: number[]): Promise<void> {
    const set = await currentKeySet(db)
    const setKey = dataKey.keySet(set) ?? refuseKeySet(set)
    crashPoint('account-keys:before')
    const rows = await callStep<{ account: number; key_set: string; sealed: Hex }[]>(
      db,
      'add_account_keys_v1',
      {
        set,
        keys: accounts.map((account) => ({
          account,
          sealed: setKey.seal(keyContext(account), randomBytes(accountKeyLimits.bytes)),
        })),
      },
    )
    crashPoint('account-keys:after')
    for (const row of rows)
      keep({ ...row, set: row.key_set, sealed: Buffer.from(row.sealed, 'hex') })
  }

  function keep(row: KeyRow): void {
    const opened = openAccountKey(dataKey, row)
    if (opened === undefined) refuseKeySet(row.set)
    else kept.set(row.account, createSealingKey(opened))
  }

  return {
    /**
     * Ready to seal for these accounts. Throws FatalError where this machine lacks the key set, RetryableError when an
     * account was erased meanwhile: then the intake has no value of it any more.
     */
    async sealFor(accounts: Iterable<number>): Promise<SealFor> {
      const wanted = [...new Set(accounts)]
      const keys = new Map(wanted.map((account) => [account, kept.get(account)]))
      const missing = () => wanted.filter((account) => keys.get(account) === undefined)
      const take = () => missing().forEach((account) => keys.set(account, kept.get(account)))
      if (missing().length > 0) {
        for (const row of await readKeyRows(db, missing())) keep(row)
        take()
      }
      for (let tries = 0; tries < accountKeyLimits.tries && missing().length > 0; tries += 1) {
        await makeMissing(missing())
        take()
      }
      if (missing().length > 0)
        throw new RetryableError('an account was erased while its entry was made')
      return (account, context, plain) => {
        const key = account === null ? undefined : keys.get(account)
        if (account === null) return dataKey.seal(context, plain)
        if (key === undefined) throw new TypeError('a key was not asked for')
        return Buffer.of(accountKeyMark).toString('hex') + key.seal(context, plain)
      }
    },
  }
}

/** For reading: the keys that are there and open; the others are not in the answer. */
export async function openAccountKeys(
  db: Database,
  dataKey: DataKey,
  accounts: number[],
): Promise<Map<number, SealingKey>> {
  const opened = new Map<number, SealingKey>()
  if (accounts.length === 0) return opened
  for (const row of await readKeyRows(db, accounts)) {
    const key = openAccountKey(dataKey, row)
    if (key !== undefined) opened.set(row.account, createSealingKey(key))
  }
  return opened
}

/** undefined: this machine does not have its key set, or somebody changed the row. */
export function openAccountKey(dataKey: DataKey, row: KeyRow): Buffer | undefined {
  try {
    return dataKey.keySet(row.set)?.open(keyContext(row.account), row.sealed)
  } catch (error) {
    if (!(error instanceof FatalError)) throw error
    return undefined
  }
}

export function keyContext(account: number): string {
  return `account-key:${account}`
}

export async function currentKeySet(db: Database): Promise<string> {
  const [row] = await ask(
    'read the key set in use',
    db<{ current: string }[]>`select current from key_set`,
  )
  if (row === undefined) throw new FatalError('the table of the key set is empty')
  return row.current
}

function readKeyRows(db: Database, accounts: number[]): Promise<KeyRow[]> {
  return ask(
    'read the keys of accounts',
    db<KeyRow[]>`
      select account, key_set as set, sealed from account_key
      where account = any (${accounts.map(String)}::text[]::bigint[])`,
  )
}

/** This machine cannot go on with these keys. */
export function refuseKeySet(set: string): never {
  throw new FatalError(
    `the keys of accounts are sealed with key set ${set}, which this machine does not have: copy account-keys.key ` +
      'into its data folder, or after a restore run `blobwatch restore keys`',
  )
}
