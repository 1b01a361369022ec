// The one Postgres client. It is the tagged template of `postgres` with our limits and types.
//
// Promises: every statement ends within its time limit or throws; an int8 is a safe number or throws;
// errors that pass `ask` and `callStep` are of the three thrown kinds and carry no values.
// Assumes that nothing uses begin() or reserve(): after a lost connection `postgres` runs the rest of a
// transaction outside it (porsager/postgres #1208). Atomic means one statement or one function.
// A crash leaves nothing: the server rolls back what it had not committed.
import postgres from 'postgres'
import { RetryableError } from '../domain/errors.ts'
import type { Log as FullLog } from '../telemetry/log.ts'
import type { DatabaseAddress } from './address.ts'
import { integerArray, textArray } from './array-types.ts'
import { databaseError } from './failure.ts'

export type Log = Pick<FullLog, 'debug' | 'info' | 'warn' | 'error'>

export type Database = postgres.Sql<{ bigint: number }> & { readonly begin: never }

export type ClientOptions = {
  /** Connections at most. */
  max: number
  /** Shown in pg_stat_activity, followed by our process id. */
  applicationName: string
  log: Log
  statementTimeoutMs?: number
  lockTimeoutMs?: number
}

/** Where all our tables and functions are. `migrate` makes it. */
export const SCHEMA = 'blobwatch'

const STATEMENT_TIMEOUT_MS = 30_000
const LOCK_TIMEOUT_MS = 10_000
const IDLE_IN_TRANSACTION_TIMEOUT_MS = 15_000
const CONNECT_TIMEOUT_S = 10
const RECONNECT_MAX_S = 2
/** How much longer than the server's own limit we wait for an answer: a machine that vanished never sends one. */
const ANSWER_GRACE_MS = 10_000

/** Opens nothing yet: connections are made when first needed. End with `await database.end({ timeout: 5 })`. */
export function connect(address: DatabaseAddress, options: ClientOptions): Database {
  return connectWith(address, options, {})
}

/** `connect` with the driver's own settings, for this room's dedicated sessions. */
export function connectWith(
  address: DatabaseAddress,
  options: ClientOptions,
  driver: postgres.Options<Record<string, postgres.PostgresType>>,
): Database {
  const settings = {
    max: options.max,
    connect_timeout: CONNECT_TIMEOUT_S,
    keep_alive: 5,
    backoff: reconnectAfterS,
    // One statement a connection: `postgres` would queue others behind a slow one although connections are free soon.
    max_pipeline: 0,
    fetch_types: false,
    types: {
      bigint: { to: 20, from: [20], serialize: String, parse: parseInt8 },
      textArray,
      integerArray,
    },
    onnotice: (notice: postgres.Notice) =>
      options.log.debug(`postgres: ${notice['message']}`, { component: 'postgres' }),
    connection: sessionSettings(options),
    ...driver,
  }
  const sql =
    'url' in address ? postgres(address.url, settings) : postgres({ ...address, ...settings })
  return forbidTransactions(sql as unknown as Database)
}

/**
 * Seconds until the next try, after so many that failed. The driver's own are up to twenty, in which a request would wait
 * for a server that is back already, or be told late that it is not.
 */
export function reconnectAfterS(tries: number): number {
  return (0.5 + Math.random() / 2) * Math.min(3 ** tries / 100, RECONNECT_MAX_S)
}

/**
 * Runs one statement and sorts its error; `what` completes "could not …" for the reader of a log. `limitMs`: of a client
 * whose server may take longer than usual.
 */
export async function ask<T>(
  what: string,
  statement: PromiseLike<T>,
  limitMs: number = STATEMENT_TIMEOUT_MS + ANSWER_GRACE_MS,
): Promise<T> {
  try {
    return await inTime(statement, what, limitMs)
  } catch (error) {
    throw databaseError(what, error)
  }
}

/**
 * Calls an atomic step: one statement, `select * from <step>(<payload>::jsonb)`; `texts` are further arguments, for bulk.
 * A function that returns one value gives T as that value; one that returns a table gives T as its rows.
 * Throws RetryableError when the outcome is unknown (connection lost, no answer in time): a step must be idempotent.
 */
export async function callStep<T>(
  db: Database,
  name: string,
  payload: object,
  texts: readonly string[] = [],
): Promise<T> {
  if (!/^[a-z_][a-z0-9_]{0,62}$/.test(name)) throw new TypeError(`not a step's name: ${name}`)
  const json = db.json(payload as postgres.JSONValue)
  const statement =
    texts.length === 0
      ? db`select * from ${db(name)}(${json}::jsonb)`
      : db`select * from ${db(name)}(${json}::jsonb${texts.reduce((before, text) => db`${before}, ${text}::text`, db``)})`
  const rows = await ask(`step ${name}`, statement, answerLimitMs(db))
  const isScalar = rows.columns.length === 1 && rows.columns[0]?.name === name
  return (isScalar ? rows[0]?.[name] : [...rows]) as T
}

/** A limit on our side. The statement may still run there; its late answer or error is dropped. */
export async function inTime<T>(work: PromiseLike<T>, what: string, limitMs: number): Promise<T> {
  const late = Promise.withResolvers<never>()
  const timer = setTimeout(
    () => late.reject(new RetryableError(`${what}: no answer within ${limitMs} ms`)),
    limitMs,
  )
  try {
    return await Promise.race([work, late.promise])
  } finally {
    clearTimeout(timer)
  }
}

/** Milliseconds after which a statement of this client has surely been given up by the server. */
export function answerLimitMs(db: Database): number {
  return Number(db.options.connection['statement_timeout']) + ANSWER_GRACE_MS
}

function sessionSettings(options: ClientOptions): Record<string, string | number> {
  return {
    application_name: `${options.applicationName} ${process.pid}`,
    statement_timeout: options.statementTimeoutMs ?? STATEMENT_TIMEOUT_MS,
    lock_timeout: options.lockTimeoutMs ?? LOCK_TIMEOUT_MS,
    idle_in_transaction_session_timeout: IDLE_IN_TRANSACTION_TIMEOUT_MS,
    // The server notices a vanished client, and frees its locks, within 20 seconds.
    tcp_keepalives_idle: 5,
    tcp_keepalives_interval: 5,
    tcp_keepalives_count: 3,
    // pg_temp last: no session's temporary table can stand in for one of ours.
    search_path: `${SCHEMA}, pg_temp`,
    TimeZone: 'UTC',
    DateStyle: 'ISO',
  }
}

function parseInt8(text: string): number {
  const value = Number(text)
  if (!Number.isSafeInteger(value))
    throw new RangeError('an int8 beyond 2^53 came from the database')
  return value
}

function forbidTransactions(sql: Database): Database {
  const refuse = () => {
    throw new TypeError('begin() and reserve() are not used here: see db/client.ts')
  }
  return Object.assign(sql, { begin: refuse as never, reserve: refuse as never })
}
