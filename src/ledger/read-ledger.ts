// Reads the stored ledger a page at a time, with what is kept behind its commitments, for the verifier and for people.
//
// Promises: entries in order; a kept value that does not open with the data key is handed to the verifier as a wrong one.
// Reads only; entries appended meanwhile are left for another time.
import type { Database } from '../db/client.ts'
import { ask } from '../db/client.ts'
import type { Hex } from '../domain/blob.ts'
import { FatalError } from '../domain/errors.ts'
import type { DataKey } from './seal.ts'

export type StoredEntry = { seq: number; bytes: Buffer; hash: Buffer }

/** What is behind a commitment, if it is still kept. */
export type OpenValue = (
  seq: number,
  field: string,
) => { salt: Uint8Array; value: string } | undefined

export const readLimits = { entriesPerPage: 1000 } as const

const saltBytes = 32

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
    db<{ seq: number; field: string; sealed: Buffer }[]>`
      select seq, field, sealed from ledger_private where seq between ${first.seq} and ${last.seq}`,
  )
  const sealed = new Map(rows.map((row) => [`${row.seq}:${row.field}`, row.sealed]))
  return (seq, field) => {
    const kept = sealed.get(`${seq}:${field}`)
    return kept && openKept(dataKey, `${seq}:${field}`, kept)
  }
}

/** The newest entries of a type, newest first. */
export async function newestEntries(
  db: Database,
  options: { type: string | undefined; before: number; limit: number },
): Promise<StoredEntry[]> {
  const type = options.type ?? null
  return ask(
    'read the newest ledger entries',
    db<StoredEntry[]>`
      select seq, bytes, hash from ledger_entry
      where seq < ${options.before}
        and (${type}::text is null or convert_from(bytes, 'UTF8')::jsonb->>'type' = ${type})
      order by seq desc limit ${options.limit}`,
  )
}

function openKept(
  dataKey: DataKey,
  context: string,
  sealed: Buffer,
): { salt: Uint8Array; value: string } {
  try {
    const plain = dataKey.open(context, sealed)
    return { salt: plain.subarray(0, saltBytes), value: plain.subarray(saltBytes).toString('utf8') }
  } catch (error) {
    if (!(error instanceof FatalError)) throw error
    // Somebody changed the sealed bytes: no value is the one committed to, and the verifier says where.
    return { salt: new Uint8Array(saltBytes), value: '' }
  }
}
