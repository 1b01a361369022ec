// The keys of accounts as one age file, with the list of erasures: the other half of a backup of the database. What comes out
// of a database backup opens only with the newest of these, which holds no key of an erased account.
//
// Promises: no DID is in it; a file that is not whole or of another deployment is refused before anything is changed.
import { Decrypter, Encrypter } from 'age-encryption'
import { erasuresAfter } from '../cases/personal.ts'
import type { ErasureRow } from '../cases/personal.ts'
import { ask } from '../db/client.ts'
import type { Database } from '../db/client.ts'
import { UsageError } from '../domain/errors.ts'
import { openAccountKey } from '../ledger/account-keys.ts'
import type { DataKey } from '../ledger/seal.ts'

export const keyBackupFormat = 'blobwatch-account-keys/1'
const rowsPerPage = 5_000

export type KeyBackup = {
  deployment: string
  at: Date
  /** The head of the ledger then. */
  ledgerSize: number
  /** The highest account number then: after a restore no new account gets one up to it. */
  accountMax: number
  keys: { account: number; keyHex: string }[]
  erasures: ErasureRow[]
}

/** `unopened`: keys that this machine cannot open and that are therefore not in it. */
export async function collectKeys(
  db: Database,
  dataKey: DataKey,
  nowMs: number,
): Promise<{ backup: KeyBackup; unopened: number }> {
  const { keys, unopened } = await readKeys(db, dataKey)
  // After the keys: an account that is erased meanwhile is in the list, and its key is left out.
  const erasures = await readErasures(db)
  const erased = new Set(erasures.map(({ account }) => account))
  const [facts] = await ask(
    'read the deployment',
    db<{ deployment: string; ledgerSize: number; accountMax: number }[]>`
      select d.id as deployment, coalesce((select size from ledger_head), 0) as "ledgerSize",
        coalesce((select max(id) from account), 0) as "accountMax"
      from deployment d`,
  )
  if (facts === undefined) throw new UsageError('no service was ever started on this database')
  const stay = keys.filter(({ account }) => !erased.has(account))
  return { backup: { ...facts, at: new Date(nowMs), keys: stay, erasures }, unopened }
}

async function readKeys(db: Database, dataKey: DataKey) {
  const keys: KeyBackup['keys'] = []
  let unopened = 0
  for (let after = 0; ;) {
    const rows = await ask(
      'read the keys of accounts',
      db<{ account: number; set: string; sealed: Buffer }[]>`
        select account, key_set as set, sealed from account_key
        where account > ${after} order by account limit ${rowsPerPage}`,
    )
    for (const row of rows) {
      const key = openAccountKey(dataKey, row)
      if (key === undefined) unopened += 1
      else keys.push({ account: row.account, keyHex: key.toString('hex') })
    }
    if (rows.length < rowsPerPage) return { keys, unopened }
    after = rows.at(-1)?.account ?? after
  }
}

async function readErasures(db: Database): Promise<ErasureRow[]> {
  const erasures: ErasureRow[] = []
  for (let after = 0; ;) {
    const rows = await erasuresAfter(db, after, rowsPerPage)
    erasures.push(...rows)
    if (rows.length < rowsPerPage) return erasures
    after = rows.at(-1)?.account ?? after
  }
}

/** Throws UsageError for a recipient that is none. */
export async function sealBackup(
  backup: KeyBackup,
  recipients: readonly string[],
): Promise<Uint8Array> {
  const encrypter = new Encrypter()
  for (const recipient of recipients) {
    try {
      encrypter.addRecipient(recipient)
    } catch (cause) {
      throw new UsageError('BLOBWATCH_BACKUP_RECIPIENTS has a recipient that age does not know', {
        cause,
      })
    }
  }
  return encrypter.encrypt(renderBackup(backup))
}

/** `identities`: the text of an age identity file. Throws UsageError that says what is wrong. */
export async function openBackup(sealed: Uint8Array, identities: string): Promise<KeyBackup> {
  const decrypter = new Decrypter()
  const lines = identities.split('\n').map((line) => line.trim())
  const keys = lines.filter((line) => line !== '' && !line.startsWith('#'))
  if (keys.length === 0) throw new UsageError('the identity file has no age identity')
  let text: string
  try {
    for (const key of keys) decrypter.addIdentity(key)
    text = await decrypter.decrypt(sealed, 'text')
  } catch (cause) {
    // The reason is not told on: the error of a wrong line may quote it, and the line is a secret.
    throw new UsageError(
      'the key set does not open: it is not whole, not an age file, or for another identity',
      { cause: cause instanceof Error ? cause.name : undefined },
    )
  }
  return parseBackup(text)
}

/** JSON Lines: a head, the keys, the erasures. The head counts them, so that a cut file is noticed. */
function renderBackup({ keys, erasures, ...head }: KeyBackup): string {
  return [
    JSON.stringify({
      format: keyBackupFormat,
      ...head,
      keys: keys.length,
      erasures: erasures.length,
    }),
    ...keys.map(({ account, keyHex }) => JSON.stringify({ account, key: keyHex })),
    ...erasures.map(({ account, at, entry }) => JSON.stringify({ account, erased: at, entry })),
    '',
  ].join('\n')
}

function parseBackup(text: string): KeyBackup {
  const lines = text.split('\n').filter(Boolean)
  const head = parseLine(lines[0] ?? '', 1)
  if (head['format'] !== keyBackupFormat)
    throw new UsageError(
      `this is not a key set that this version reads (${keyBackupFormat}): use the version that wrote it`,
    )
  const { deployment, keys: keyCount, erasures: erasureCount } = head
  const [ledgerSize, accountMax] = [wholeOf(head['ledgerSize']), wholeOf(head['accountMax'])]
  const at = timeOf(head['at'])
  if (
    typeof deployment !== 'string' ||
    ledgerSize === undefined ||
    accountMax === undefined ||
    at === undefined
  )
    throw new UsageError('the head of the key set lacks a field')
  const backup: KeyBackup = { deployment, at, ledgerSize, accountMax, keys: [], erasures: [] }
  for (const [index, line] of lines.entries()) if (index > 0) addLine(backup, line, index + 1)
  if (backup.keys.length !== keyCount || backup.erasures.length !== erasureCount)
    throw new UsageError('the key set is not whole: its head counts other lines')
  return backup
}

function addLine(backup: KeyBackup, line: string, number: number): void {
  const { account, key, erased, entry } = parseLine(line, number)
  const id = wholeOf(account)
  const at = timeOf(erased)
  if (id !== undefined && typeof key === 'string' && /^[0-9a-f]{64}$/.test(key))
    backup.keys.push({ account: id, keyHex: key })
  else if (id !== undefined && at !== undefined)
    backup.erasures.push({ account: id, at, entry: wholeOf(entry) ?? null })
  else throw new UsageError(`line ${number} of the key set is neither a key nor an erasure`)
}

function parseLine(line: string, number: number): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(line)
    if (typeof value === 'object' && value !== null) return value as Record<string, unknown>
  } catch {
    // Told below; the line itself holds a key.
  }
  throw new UsageError(`line ${number} of the key set cannot be read`)
}

function wholeOf(value: unknown): number | undefined {
  return Number.isSafeInteger(value) && (value as number) >= 0 ? (value as number) : undefined
}

function timeOf(value: unknown): Date | undefined {
  const at = typeof value === 'string' ? new Date(value) : undefined
  return at === undefined || Number.isNaN(at.getTime()) ? undefined : at
}
