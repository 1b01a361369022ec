// Range partitions, made ahead of time and dropped when their time is over. Run by the owner, every hour or so;
// a call that finds nothing to do takes no lock. The parent's key is a timestamptz or a bigint of milliseconds.
// Several processes may call at once. A crash leaves whole partitions only.
import { FatalError } from '../domain/errors.ts'
import { ask } from './client.ts'
import type { Database } from './client.ts'
import { sqlState } from './failure.ts'

export type Period = 'day' | 'week'

const DAY_MS = 86_400_000
/** Attaching and dropping shut out every reader of the parent for a moment: give way quickly, come again later. */
const LOCK_TIMEOUT_MS = 2_000
/** 1970-01-05 was the first Monday. */
const FIRST_MONDAY_MS = 4 * DAY_MS

/** Makes the partition of now and `ahead` more. Returns the names of the new ones, such as `sighting_20261121`. */
export async function ensurePartitions(options: {
  db: Database
  table: string
  every: Period
  ahead: number
  nowMs: number
}): Promise<string[]> {
  const { db, table, every } = options
  const { key } = await describeParent(db, table)
  const lengthMs = every === 'day' ? DAY_MS : 7 * DAY_MS
  const firstMs = periodStart(options.nowMs, every)
  const wanted = Array.from({ length: options.ahead + 1 }, (_, index) => {
    const fromMs = firstMs + index * lengthMs
    return { name: `${table}_${dayName(fromMs)}`, from: fromMs, to: fromMs + lengthMs }
  })
  return await createMissing(db, table, key, wanted)
}

/** Partitions of a sequence, `width` numbers each: the one that holds `nextSeq` and `ahead` more. */
export async function ensureSeqPartitions(options: {
  db: Database
  table: string
  width: number
  ahead: number
  nextSeq: number
}): Promise<string[]> {
  const { db, table, width } = options
  await describeParent(db, table)
  const first = Math.floor(options.nextSeq / width) * width
  const wanted = Array.from({ length: options.ahead + 1 }, (_, index) => {
    const from = first + index * width
    return { name: `${table}_${from}`, from, to: from + width }
  })
  return await createMissing(db, table, 'number', wanted)
}

/** Drops the partitions whose whole range is older than `keepDays`. Returns their names. */
export async function dropPartitions(options: {
  db: Database
  table: string
  keepDays: number
  nowMs: number
}): Promise<string[]> {
  const { db, table } = options
  const { partitions } = await describeParent(db, table)
  const limitMs = options.nowMs - options.keepDays * DAY_MS
  const old = partitions.filter(({ toMs }) => toMs !== undefined && toMs <= limitMs)
  for (const { name } of old)
    await ask(
      `drop partition ${name}`,
      db.unsafe(`${withLockLimit}drop table if exists ${quote(name)}`).simple(),
    )
  return old.map(({ name }) => name)
}

/** The start of the day (UTC), or of the week on Monday, that holds a time. */
export function periodStart(atMs: number, every: Period): number {
  if (every === 'day') return Math.floor(atMs / DAY_MS) * DAY_MS
  const weekMs = 7 * DAY_MS
  return Math.floor((atMs - FIRST_MONDAY_MS) / weekMs) * weekMs + FIRST_MONDAY_MS
}

const withLockLimit = `set local lock_timeout = ${LOCK_TIMEOUT_MS}; `

type KeyKind = 'time' | 'number'
type Wanted = { name: string; from: number; to: number }

async function describeParent(db: Database, table: string) {
  const [parent] = await ask(
    `look up the table ${table}`,
    db<{ keyType: string }[]>`
      select format_type(a.atttypid, null) as "keyType"
      from pg_partitioned_table p join pg_attribute a on a.attrelid = p.partrelid and a.attnum = p.partattrs[0]
      where p.partrelid = to_regclass(${table}) and p.partstrat = 'r'`,
  )
  const key = parent && keyKind(parent.keyType)
  if (key === undefined)
    throw new FatalError(`${table} is not a table partitioned by range of a time or a number`)
  const rows = await ask(
    `list the partitions of ${table}`,
    db<{ name: string; bound: string }[]>`
      select c.relname as name, pg_get_expr(c.relpartbound, c.oid) as bound
      from pg_inherits i join pg_class c on c.oid = i.inhrelid
      where i.inhparent = to_regclass(${table}) order by c.relname`,
  )
  return {
    key,
    partitions: rows.map(({ name, bound }) => ({ name, toMs: upperBound(bound, key) })),
  }
}

function keyKind(type: string): KeyKind | undefined {
  if (type === 'timestamp with time zone') return 'time'
  return type === 'bigint' ? 'number' : undefined
}

/** `FOR VALUES FROM ('…') TO ('…')`; the client's sessions print times in UTC. */
function upperBound(bound: string, key: KeyKind): number | undefined {
  const text = /TO \('?([^')]+)'?\)$/.exec(bound)?.[1]
  if (text === undefined) return undefined
  const value = key === 'time' ? Date.parse(text) : Number(text)
  return Number.isNaN(value) ? undefined : value
}

async function createMissing(
  db: Database,
  table: string,
  key: KeyKind,
  wanted: Wanted[],
): Promise<string[]> {
  const rows = await ask(
    `look for partitions of ${table}`,
    db<{ name: string }[]>`
      select name from unnest(${wanted.map(({ name }) => name)}::text[]) as name
      where to_regclass(name) is null`,
  )
  const missing = new Set(rows.map(({ name }) => name))
  const bound = (value: number) =>
    key === 'time' ? `'${new Date(value).toISOString()}'` : `${value}`
  for (const { name, from, to } of wanted.filter(({ name }) => missing.has(name))) {
    const text = `create table if not exists ${quote(name)} partition of ${quote(table)} for values from (${bound(from)}) to (${bound(to)})`
    await createOnce(db, name, text)
  }
  return [...missing]
}

/** "if not exists" does not hold between two sessions that look at the same moment: the slower one finds it made. */
async function createOnce(db: Database, name: string, text: string): Promise<void> {
  try {
    await ask(`create partition ${name}`, db.unsafe(withLockLimit + text).simple())
  } catch (error) {
    if (!madeByAnother.has(sqlState(error) ?? '')) throw error
  }
}

/** duplicate_table; unique_violation in the catalogue. */
const madeByAnother = new Set(['42P07', '23505'])

function dayName(atMs: number): string {
  return new Date(atMs).toISOString().slice(0, 10).replaceAll('-', '')
}

function quote(name: string): string {
  if (!/^[a-z_][a-z0-9_]{0,62}$/.test(name)) throw new TypeError(`not a table's name: ${name}`)
  return `"${name}"`
}
