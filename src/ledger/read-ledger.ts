// Reads the stored ledger a page at a time, with what is kept behind its commitments, for the verifier and for people.
//
// Promises: entries in order; a kept value that does not open with its key is handed to the verifier as a wrong one, and
// one whose account's key is gone as one that nobody can open.
// Reads only; entries appended meanwhile are left for another time.
import type { Database } from '../db/client.ts'
import { ask } from '../db/client.ts'
import type { Hex } from '../domain/blob.ts'
import { FatalError } from '../domain/errors.ts'
import { saltBytes } from './commitment.ts'
import { accountKeyMark, openAccountKeys } from './account-keys.ts'
import type { DataKey, SealingKey } from './seal.ts'

export type StoredEntry = { seq: number; bytes: Buffer; hash: Buffer }

/** What is behind a commitment, if it is still kept. */
export type OpenValue = (
  seq: number,
  field: string,
) => { salt: Uint8Array; value: string } | undefined

export const readLimits = { entriesPerPage: 1000 } as const

export type LedgerHeadRow = { log: string; size: number; hash: Hex; at: Date | null }

/** undefined: no ledger was begun. */
export async function readHead(db: Database): Promise<LedgerHeadRow | undefined> {
  const [head] = await ask(
    'read the ledger head',
    db<LedgerHeadRow[]>`select log, size, encode(hash, 'hex') as hash, at from ledger_head`,
  )
  return head
}

/** From `from` up to and without `to`. */
export async function* readEntries(
  db: Database,
  range: { from: number; to: number },
): AsyncGenerator<StoredEntry[]> {
  let from = range.from
  while (from < range.to) {
    const rows = await ask(
      'read ledger entries',
      db<StoredEntry[]>`
        select seq, bytes, hash from ledger_entry
        where seq >= ${from} and seq < ${range.to} order by seq limit ${readLimits.entriesPerPage}`,
    )
    const last = rows.at(-1)
    if (last === undefined) return
    yield rows
    from = last.seq + 1
  }
}

/** What opens the commitments of these entries; nothing is opened without the key. */
export async function readPrivate(
  db: Database,
  entries: readonly StoredEntry[],
  dataKey: DataKey | undefined,
): Promise<OpenValue | undefined> {
  const [first, last] = [entries[0], entries.at(-1)]
  if (dataKey === undefined || first === undefined || last === undefined) return undefined
  const rows = await ask(
    'read what is behind commitments',
    db<PrivateRow[]>`
      select seq, field, account, sealed from ledger_private where seq between ${first.seq} and ${last.seq}`,
  )
  const accounts = rows.flatMap((row) => (isMarked(row) ? [row.account] : []))
  const keys = await openAccountKeys(db, dataKey, [...new Set(accounts)])
  const kept = new Map(rows.map((row) => [`${row.seq}:${row.field}`, row]))
  return (seq, field) => {
    const row = kept.get(`${seq}:${field}`)
    return row && openKept(dataKey, keys, row)
  }
}

type PrivateRow = { seq: number; field: string; account: number | null; sealed: Buffer }

/** Sealed under its account's key, or one of the 256th part of older values that begin with the same byte. */
function isMarked(row: PrivateRow): row is PrivateRow & { account: number } {
  return row.account !== null && row.sealed[0] === accountKeyMark
}

function openKept(
  dataKey: DataKey,
  keys: ReadonlyMap<number, SealingKey>,
  row: PrivateRow,
): { salt: Uint8Array; value: string } | undefined {
  const context = `${row.seq}:${row.field}`
  const key = isMarked(row) ? keys.get(row.account) : undefined
  const plain =
    (key && openOr(key, context, row.sealed.subarray(1))) ?? openOr(dataKey, context, row.sealed)
  if (plain !== undefined)
    return { salt: plain.subarray(0, saltBytes), value: plain.subarray(saltBytes).toString('utf8') }
  if (isMarked(row) && key === undefined) return undefined
  // Somebody changed the sealed bytes: no value is the one committed to, and the verifier says where.
  return { salt: new Uint8Array(saltBytes), value: '' }
}

function openOr(key: SealingKey, context: string, sealed: Buffer): Buffer | undefined {
  try {
    return key.open(context, sealed)
  } catch (error) {
    if (!(error instanceof FatalError)) throw error
    return undefined
  }
}
