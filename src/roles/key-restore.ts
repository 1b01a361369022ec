// After a restored backup of the database: the newest keys of accounts come back, and what was erased since the backup is
// erased again.
//
// Promises: run twice, the second run changes nothing; a key that opens stays; nobody but an account of that time is erased.
// A crash leaves a part; the next run does the rest.
import { ask, callStep } from '../db/client.ts'
import type { Database } from '../db/client.ts'
import { UsageError } from '../domain/errors.ts'
import { currentKeySet, keyContext, refuseKeySet } from '../ledger/account-keys.ts'
import { readKeySets } from '../ledger/key-set-file.ts'
import { dataKeySet } from '../ledger/seal.ts'
import { replayErasure } from '../steps/personal.ts'
import type { Replayed } from '../steps/personal.ts'
import type { KeyBackup } from './key-backup.ts'
import { beginKeySet, setName } from './key-set.ts'
import type { KeySetOptions } from './key-set.ts'

const keysPerStep = 1_000

export type Restored = {
  /** Keys that were missing or could not be opened, and are there now. */
  put: number
  /** Keys that nothing opens any more. */
  dropped: number
  erasures: Record<Replayed['result'], number>
  /** Accounts whose erasure waits, and for what. */
  waiting: { account: number; waitsFor: string[] }[]
}

/** Throws UsageError, and changes nothing, when the keys are another deployment's. */
export async function restoreKeys(
  options: Omit<KeySetOptions, 'address' | 'log'>,
  backup: KeyBackup,
): Promise<Restored> {
  const { db, dataKey } = options
  await refuseStrangers(db, backup)
  const current = await currentKeySet(db)
  const set = dataKey.keySet(current) === undefined ? (await beginKeySet(options)).set : current
  const setKey = dataKey.keySet(set) ?? refuseKeySet(set)
  const sets = openable(options.dataDir)
  let put = 0
  // Once at least: also without a key the numbers of later accounts have to begin after accountMax.
  for (let from = 0; from === 0 || from < backup.keys.length; from += keysPerStep) {
    const keys = backup.keys.slice(from, from + keysPerStep).map(({ account, keyHex }) => ({
      account,
      sealed: setKey.seal(keyContext(account), Buffer.from(keyHex, 'hex')),
    }))
    const accountMax = backup.accountMax
    const [row] = await callStep<{ put: number }[]>(db, 'put_account_keys_v1', {
      set,
      sets,
      keys,
      accountMax,
    })
    put += row?.put ?? 0
  }
  const now = new Date(options.nowMs)
  const { principal } = options
  const [row] = await callStep<{ dropped: number }[]>(db, 'drop_account_keys_v1', {
    sets,
    put,
    principal,
    now,
  })
  return { put, dropped: row?.dropped ?? 0, ...(await replayAll(options, backup)) }
}

async function replayAll(
  { db, principal, nowMs }: Pick<KeySetOptions, 'db' | 'principal' | 'nowMs'>,
  backup: KeyBackup,
): Promise<Pick<Restored, 'erasures' | 'waiting'>> {
  const erasures = { erased: 0, waiting: 0, known: 0, unknown: 0, other: 0 }
  const waiting: Restored['waiting'] = []
  for (const { account, at } of backup.erasures) {
    const { result, waitsFor } = await replayErasure(db, { account, at, principal, nowMs })
    erasures[result] += 1
    if (result === 'waiting') waiting.push({ account, waitsFor })
  }
  return { erasures, waiting }
}

export type RestoreState = {
  /** Accounts that were erased and are in the database again. */
  missingErasures: number[]
  /** Accounts of which the backup has a key and the database none that opens here. */
  missingKeys: number
}

/** What `restoreKeys` would still have to do. Reads only. */
export async function restoreState(
  db: Database,
  dataDir: string,
  backup: KeyBackup,
): Promise<RestoreState> {
  await refuseStrangers(db, backup)
  const missing = await ask(
    'look for erasures that are missing',
    db<{ account: number }[]>`
      select a.id as account
      from unnest(${backup.erasures.map((row) => String(row.account))}::text[]::bigint[],
        ${backup.erasures.map((row) => row.at.toISOString())}::text[]::timestamptz[]) as e(account, at)
      join account a on a.id = e.account
      where a.erased_at is null and (a.created_at is null or a.created_at <= e.at)
      order by a.id`,
  )
  const [keys] = await ask(
    'look for keys that are missing',
    db<{ count: number }[]>`
      select count(*) from unnest(${backup.keys.map((row) => String(row.account))}::text[]::bigint[]) as k(account)
      join account a on a.id = k.account and a.erased_at is null
      where not exists (
        select from account_key x
        where x.account = a.id and x.key_set = any (${openable(dataDir)}::text[]))`,
  )
  return { missingErasures: missing.map((row) => row.account), missingKeys: keys?.count ?? 0 }
}

/** The key sets that this machine has. */
function openable(dataDir: string): string[] {
  return [dataKeySet, ...readKeySets(dataDir).map(setName)]
}

async function refuseStrangers(db: Database, backup: KeyBackup): Promise<void> {
  const [row] = await ask('read the deployment', db<{ id: string }[]>`select id from deployment`)
  if (row === undefined)
    throw new UsageError('this database is empty: restore the backup of the database first')
  if (row.id !== backup.deployment)
    throw new UsageError(
      'these keys are of another deployment than this database; nothing was changed',
    )
}
