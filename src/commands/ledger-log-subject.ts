// Entries about one account, record or blob. What names them is sealed in the ledger: it is opened here, on this machine.
import { accountsOfBlob, keptOf, seqsOfActions } from '../cases/entry-links.ts'
import { accountOf } from '../cases/case-file.ts'
import { ask } from '../db/client.ts'
import type { Database } from '../db/client.ts'
import { blobDigest } from '../domain/cid.ts'
import { UsageError } from '../domain/errors.ts'
import type { Condition, ReadEntry } from '../ledger/find-entries.ts'
import { parseRead } from '../ledger/find-entries.ts'
import { readPrivate } from '../ledger/read-ledger.ts'
import type { DataKey } from '../ledger/seal.ts'
import type { OpenValue, StoredEntry } from '../ledger/read-ledger.ts'

/** Every field must be kept with this value. */
type Wanted = Record<string, string>

/** The entries found up to now; while they are followed, what comes is opened as it comes. */
export async function subjectCondition(
  db: Database,
  text: string,
  dataKey: DataKey,
): Promise<Condition> {
  const wanted = parseSubject(text)
  const actions = new Set<number>()
  const seqs = new Set<number>()
  const test: Condition['test'] = (entry, open) => {
    const named = open !== undefined && keeps(entry, wanted, open)
    if (named && entry.type === 'action.intent') actions.add(Number(entry.pub['action']))
    // A result names its action and nobody else.
    return named || (entry.type.startsWith('action.') && actions.has(Number(entry.pub['action'])))
  }
  for (const account of await candidates(db, wanted)) {
    for await (const kept of keptOf(db, account)) {
      const page = await entriesOf(db, [...new Set(kept.map((row) => row.seq))])
      const open = await readPrivateOf(db, page, dataKey)
      for (const entry of page.map(parseRead)) if (test(entry, open)) seqs.add(entry.seq)
    }
  }
  for (const seq of await seqsOfActions(db, [...actions])) seqs.add(seq)
  return { needles: [], seqs, test }
}

function parseSubject(text: string): Wanted {
  const [, did, collection, rkey] =
    /^(?:at:\/\/)?(did:[^/\s]+)(?:\/([^/\s]+)\/([^/\s]+))?$/.exec(text) ?? []
  if (did !== undefined) {
    return collection === undefined
      ? { account: did }
      : { account: did, record: `${collection}/${rkey}` }
  }
  const blob = blobDigest(text)
  if (blob === undefined)
    throw new UsageError(
      '--subject is a DID, an at:// address with a DID, or a blob CID (bafkrei…)',
    )
  return { blob }
}

/** The accounts among whose entries it may be; null: entries that belong to none. */
async function candidates(db: Database, wanted: Wanted): Promise<(number | null)[]> {
  if (wanted['blob'] !== undefined) return [null, ...(await accountsOfBlob(db, wanted['blob']))]
  const account = await accountOf(db, wanted['account'] ?? '')
  return account === undefined ? [] : [account.id]
}

function keeps(entry: ReadEntry, wanted: Wanted, open: OpenValue): boolean {
  return Object.entries(wanted).every(
    ([field, value]) => field in entry.com && open(entry.seq, field)?.value === value,
  )
}

async function entriesOf(db: Database, seqs: number[]): Promise<StoredEntry[]> {
  return ask(
    'read entries',
    db<StoredEntry[]>`
      select seq, bytes, hash from ledger_entry where seq = any (${seqs}::bigint[]) order by seq`,
  )
}

/** Entries of one account lie far apart: each stretch without a hole is one question. */
async function readPrivateOf(
  db: Database,
  page: readonly StoredEntry[],
  dataKey: DataKey,
): Promise<OpenValue> {
  const opened = new Map<number, OpenValue>()
  let run: StoredEntry[] = []
  const flush = async () => {
    const open = await readPrivate(db, run, dataKey)
    for (const { seq } of run) if (open !== undefined) opened.set(seq, open)
    run = []
  }
  for (const entry of page) {
    if (run.length > 0 && entry.seq !== (run.at(-1)?.seq ?? 0) + 1) await flush()
    run.push(entry)
  }
  await flush()
  return (seq, field) => opened.get(seq)?.(seq, field)
}
