// HMA's own database, from outside: opened for reading, and looked at before anything is believed.
//
// Promises: nothing is written there, whatever the role could do: every session is read-only from its first statement on.
// What goes wrong is a sentence for the person who runs HMA, without an address's password and without a value.
// Assumes a direct connection: a pooler in transaction mode takes no session settings.
import { parseAddress } from '../db/address.ts'
import type { DatabaseAddress } from '../db/address.ts'
import { connectWith } from '../db/client.ts'
import type { Database, Log } from '../db/client.ts'
import { databaseError, sqlState } from '../db/failure.ts'
import { RetryableError, UsageError } from '../domain/errors.ts'

export const hmaLimits = {
  statementMs: 120_000,
  lockMs: 5_000,
  /** One reads the next page while the one before is written. */
  connections: 2,
} as const

/** What a column holds; `json`: as Postgres itself checked it. */
type Kind = 'whole' | 'number' | 'text' | 'json' | 'boolean' | 'time' | 'other'

/** Columns without which it is no HMA. Those of `optional` came with later versions of HMA. */
const tables = {
  bank: { id: 'whole', name: 'text', enabled_ratio: 'number', import_from_exchange_id: 'whole' },
  bank_content: {
    id: 'whole',
    bank_id: 'whole',
    imported_from_id: 'whole',
    disable_until_ts: 'whole',
    original_content_uri: 'text',
  },
  content_signal: {
    content_id: 'whole',
    signal_type: 'text',
    signal_val: 'text',
    create_time: 'time',
  },
  exchange: {
    id: 'whole',
    name: 'text',
    api_cls: 'text',
    fetching_enabled: 'boolean',
    typed_config: 'json',
  },
  exchange_data: { id: 'whole', collab_id: 'whole', fetch_id: 'text' },
  exchange_fetch_status: { collab_id: 'whole', checkpoint_ts: 'number', checkpoint_json: 'json' },
  signal_type_override: { name: 'text', enabled_ratio: 'number' },
} as const satisfies Record<string, Record<string, Kind>>

const optional: Record<keyof typeof tables, Record<string, Kind>> = {
  bank: {},
  bank_content: { note: 'text', bank_content_metadata: 'json' },
  content_signal: {},
  exchange: { retain_api_data: 'boolean', retain_data_with_unknown_signal_types: 'boolean' },
  exchange_data: {
    fetched_metadata_summary: 'json',
    matched: 'boolean',
    verification_result: 'boolean',
    pickled_fetch_signal_metadata: 'other',
  },
  exchange_fetch_status: {
    running_fetch_start_ts: 'number',
    last_fetch_succeeded: 'boolean',
    last_fetch_complete_ts: 'number',
    is_up_to_date: 'boolean',
  },
  signal_type_override: { id: 'whole' },
}

export type HmaTable = keyof typeof tables
export const hmaTables = Object.keys(tables) as HmaTable[]

export type HmaFacts = {
  /** Alembic's, where HMA keeps it. */
  version: string | undefined
  /** Of this database and no other, as far as it tells. */
  identity: string
  /** The tables that the role could write. */
  writable: string[]
  /** Columns that this build does not know: what is in them stays behind. */
  unknown: string[]
  /** Which of the optional columns are there, as `table.column`. */
  has: ReadonlySet<string>
}

/** Accepts SQLAlchemy's spelling as HMA's own configuration has it. */
export function parseHmaAddress(url: string): DatabaseAddress {
  return parseAddress(url.replace(/^postgresql\+\w+:/, 'postgresql:'))
}

/** Opens nothing yet. `readOnly` false: for writing an empty HMA database. */
export function openHma(
  address: DatabaseAddress,
  options: { log: Log; readOnly: boolean },
): Database {
  return connectWith(
    address,
    { max: hmaLimits.connections, applicationName: 'blobwatch', log: options.log },
    {
      connection: {
        application_name: `blobwatch ${process.pid}`,
        statement_timeout: hmaLimits.statementMs,
        lock_timeout: hmaLimits.lockMs,
        default_transaction_read_only: options.readOnly,
        TimeZone: 'UTC',
        DateStyle: 'ISO',
      },
    },
  )
}

/** Where these come after the first answer HMA is away, and comes back. */
const away = new Set(['ENOTFOUND', 'EAI_AGAIN', 'ENOENT', 'ECONNREFUSED', 'CONNECT_TIMEOUT'])

/** Runs one statement of HMA's database, not the first; `what` completes "could not …". */
export async function askHma<T>(what: string, statement: PromiseLike<T>): Promise<T> {
  try {
    return await statement
  } catch (error) {
    throw hmaError(what, error)
  }
}

const sentences: Record<string, string> = {
  '28P01': 'HMA’s database does not take this user and password',
  '28000': 'HMA’s database does not let this user in from here',
  '3D000': 'HMA’s Postgres has no database of this name',
  '42501':
    'this role may not read HMA’s tables: docs/from-hma.md has the GRANTs for a role that only reads',
  ENOTFOUND: 'the host of HMA’s database is not known',
  EAI_AGAIN: 'the host of HMA’s database is not known',
  ENOENT: 'there is no Postgres at HMA’s address',
  ECONNREFUSED: 'nothing answers at HMA’s address',
  CONNECT_TIMEOUT: 'HMA’s database does not answer',
  '08P01':
    'what answers takes no session settings: a pooler? Give the address of HMA’s Postgres itself',
}

/** `then`: what a person may rely on when it was not their fault. `isFirst`: nothing answered yet, so the address may be wrong. */
export function hmaError(
  what: string,
  error: unknown,
  { then = 'the same command goes on where it was', isFirst = false } = {},
): Error {
  const code = sqlState(error)
  const sentence = code === undefined ? undefined : sentences[code]
  const sorted = databaseError(`could not ${what} of HMA`, error)
  if (sentence !== undefined && away.has(code ?? '') && !isFirst)
    return new RetryableError(`could not ${what}: ${sentence}; ${then}`, { cause: sorted })
  if (sentence !== undefined) return new UsageError(`could not ${what}: ${sentence}`)
  if (!(sorted instanceof RetryableError)) return sorted
  return new RetryableError(`${sorted.message}; ${then}`, { cause: sorted })
}

/** Throws UsageError when this is no HMA, or none whose tables may be read. */
export async function examineHma(hma: Database): Promise<HmaFacts> {
  const found = await readColumns(hma)
  const missing = hmaTables.flatMap((table) => {
    const columns = found.get(table)
    if (columns === undefined) return [table]
    const names = Object.keys(tables[table]).filter((column) => !columns.has(column))
    return names.map((column) => `${table}.${column}`)
  })
  if (missing.length > 0)
    throw new UsageError(
      `this is not HMA’s database, or one of a version that is not known: it lacks ${missing.join(', ')}`,
    )
  const known = new Map(
    hmaTables.flatMap((table) =>
      Object.entries({ ...tables[table], ...optional[table] }).map(
        ([column, kind]): [string, Kind] => [`${table}.${column}`, kind],
      ),
    ),
  )
  const kinds = [...found].flatMap(([table, columns]) =>
    [...columns].map(([column, kind]): [string, Kind] => [`${table}.${column}`, kind]),
  )
  const odd = kinds.filter(([column, kind]) => !isOfKind(kind, known.get(column)))
  if (odd.length > 0)
    throw new UsageError(
      `this is not HMA’s database: of another type than there are ${odd
        .map(([column]) => column)
        .toSorted()
        .join(', ')}`,
    )
  const columns = kinds.map(([column]) => column)
  return {
    version: await readVersion(hma),
    identity: await readIdentity(hma),
    writable: await readWritable(hma),
    unknown: columns.filter((column) => !known.has(column)),
    has: new Set(columns),
  }
}

/** `expected` undefined: a column that is not read. */
function isOfKind(kind: Kind, expected: Kind | undefined): boolean {
  if (expected === undefined || expected === 'other') return true
  return kind === expected || (expected === 'number' && kind === 'whole')
}

async function readColumns(hma: Database): Promise<Map<string, Map<string, Kind>>> {
  const rows = await hma<{ table: string; column: string; kind: Kind }[]>`
      select t.name as table, a.attname as column, case
        when y.typname in ('int2', 'int4', 'int8') then 'whole'
        when y.typname in ('json', 'jsonb') then 'json'
        when y.typcategory = 'N' then 'number'
        when y.typcategory = 'S' then 'text'
        when y.typcategory = 'B' then 'boolean'
        when y.typcategory = 'D' then 'time'
        else 'other' end as kind
      from json_array_elements_text(${JSON.stringify(hmaTables)}::text::json) t(name)
      join pg_attribute a on a.attrelid = to_regclass(quote_ident(t.name)) and a.attnum > 0 and not a.attisdropped
      join pg_type y on y.oid = a.atttypid`.catch((error: unknown) => {
    throw hmaError('look at the tables', error, { isFirst: true })
  })
  const found = new Map<string, Map<string, Kind>>()
  for (const { table, column, kind } of rows)
    found.set(table, (found.get(table) ?? new Map<string, Kind>()).set(column, kind))
  return found
}

async function readVersion(hma: Database): Promise<string | undefined> {
  const [there] = await askHma(
    'look for Alembic’s version',
    hma<{ may: boolean | null }[]>`
      select case when to_regclass('alembic_version') is null then false
        else has_table_privilege(to_regclass('alembic_version'), 'SELECT') end as may`,
  )
  if (there?.may !== true) return undefined
  const [row] = await askHma(
    'read Alembic’s version',
    hma<
      { version: string }[]
    >`select left(version_num::text, 64) as version from alembic_version limit 1`,
  )
  return row?.version
}

/** The cluster's own number and the database's: the same on a replica, another after a dump and a restore. */
async function readIdentity(hma: Database): Promise<string> {
  const [row] = await askHma(
    'ask which database this is',
    hma<{ oid: string; cluster: string | null }[]>`
      select d.oid::text as oid,
        case when has_function_privilege('pg_control_system()', 'EXECUTE')
          then (select system_identifier::text from pg_control_system()) end as cluster
      from pg_database d where d.datname = current_database()`,
  )
  return `${row?.cluster ?? 'unknown'}/${row?.oid ?? ''}`
}

async function readWritable(hma: Database): Promise<string[]> {
  const rows = await askHma(
    'look what this role may do',
    hma<{ table: string }[]>`
      select t.name as table from json_array_elements_text(${JSON.stringify(hmaTables)}::text::json) t(name)
      where has_table_privilege(to_regclass(quote_ident(t.name)), 'INSERT, UPDATE, DELETE, TRUNCATE')`,
  )
  return rows.map(({ table }) => table)
}
