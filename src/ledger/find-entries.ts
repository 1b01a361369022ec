// Finds entries without an index: by time, because time never runs backwards in the log, and by what they say, a bounded
// stretch at a time.
//
// Promises: no statement looks at more than `findLimits.window` entries, unless it knows their numbers; who waits is told
// how far it is. Reads only.
import type { Database } from '../db/client.ts'
import { ask } from '../db/client.ts'
import type { OpenValue, StoredEntry } from './read-ledger.ts'

export const findLimits = {
  /** Entries that one statement looks through. */
  window: 20_000,
} as const

export type ReadEntry = {
  seq: number
  t: string
  type: string
  actor: { kind?: string; principal?: number }
  pub: Record<string, unknown>
  com: Record<string, string>
}

/**
 * What an entry must be; of an entry that holds, its bytes contain one of the needles or its number is among `seqs`. Without
 * needles these numbers are all there are.
 */
export type Condition = {
  needles: readonly string[]
  /** Entries that hold whatever is in them: found by another way. */
  seqs: ReadonlySet<number>
  /** No entry that holds is older. */
  notBefore?: Date
  /** May learn from what it sees: entries come in the order of the log while they are followed. */
  test: (entry: ReadEntry, open: OpenValue | undefined) => boolean
}

export type Range = { from: number; to: number }

export function parseRead(entry: StoredEntry): ReadEntry {
  const { t, type, actor, pub, com } = JSON.parse(entry.bytes.toString('utf8')) as ReadEntry
  return { seq: entry.seq, t, type, actor, pub, com }
}

export function holds(
  entry: ReadEntry,
  conditions: readonly Condition[],
  open: OpenValue | undefined,
): boolean {
  return conditions.every(({ seqs, test }) => seqs.has(entry.seq) || test(entry, open))
}

/** The first entry that is not older than this moment, by bisection; `size` when all are. */
export async function seqAtTime(db: Database, at: Date, size: number): Promise<number> {
  let [from, to] = [0, size]
  while (from < to) {
    const middle = Math.floor((from + to) / 2)
    const time = await timeOf(db, middle)
    if (time === undefined || time < at.getTime()) from = middle + 1
    else to = middle
  }
  return from
}

/** The time of an entry; undefined when there is none with this number. */
export async function timeOf(db: Database, seq: number): Promise<number | undefined> {
  const [row] = await ask(
    'read the time of an entry',
    db<StoredEntry[]>`select seq, bytes, hash from ledger_entry where seq = ${seq}`,
  )
  return row && Date.parse(parseRead(row).t)
}

/** Entries that hold, from one end of the range. `onLooked`: how many were looked at since the last time. */
export async function findEntries(
  db: Database,
  options: {
    range: Range
    conditions: readonly Condition[]
    limit: number
    order: 'newest' | 'oldest'
    onLooked?: (entries: number) => void
    signal?: AbortSignal
  },
): Promise<ReadEntry[]> {
  const { conditions, limit, order } = options
  const found: ReadEntry[] = []
  let { from, to } = options.range
  const known = conditions.some((condition) => condition.needles.length === 0)
  const span = conditions.length === 0 || known ? Math.max(1, to - from) : findLimits.window
  while (from < to && found.length < limit && options.signal?.aborted !== true) {
    const window =
      order === 'newest'
        ? { from: Math.max(from, to - span), to }
        : { from, to: Math.min(to, from + span) }
    const asked = limit - found.length
    const rows = await readWindow(db, { window, conditions, order, limit: asked })
    found.push(...rows.map(parseRead).filter((entry) => holds(entry, conditions, undefined)))
    // A full answer may have left some of the window out.
    const last = rows.length === asked ? rows.at(-1)?.seq : undefined
    if (order === 'newest') to = last ?? window.from
    else from = last === undefined ? window.to : last + 1
    options.onLooked?.(window.to - window.from)
  }
  return found
}

async function readWindow(
  db: Database,
  options: {
    window: Range
    conditions: readonly Condition[]
    order: 'newest' | 'oldest'
    limit: number
  },
): Promise<StoredEntry[]> {
  const { window, limit } = options
  const wanted = options.conditions.reduce(
    (all, { needles, seqs }) =>
      needles.length === 0
        ? db`${all} and seq = any (${[...seqs]}::bigint[])`
        : db`${all} and (seq = any (${[...seqs]}::bigint[]) or exists (
            select from unnest(${[...needles]}::text[]) n
            where position(convert_to(n, 'UTF8') in bytes) > 0))`,
    db`true`,
  )
  return ask(
    'look through ledger entries',
    db<StoredEntry[]>`
      select seq, bytes, hash from ledger_entry
      where seq >= ${window.from} and seq < ${window.to} and ${wanted}
      order by seq ${options.order === 'newest' ? db`desc` : db`asc`} limit ${limit}`,
  )
}
