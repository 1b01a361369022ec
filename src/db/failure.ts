// Database errors sorted into the thrown kinds. What Postgres says about values is left out: a DETAIL line
// or a failing literal could carry a known-bad signal, a DID or an address into a log (promise 8).
import { FatalError, PermanentError, RetryableError, UsageError } from '../domain/errors.ts'

/** What is safe to keep of a Postgres error. */
export class DatabaseFault extends Error {
  override name = 'DatabaseFault'
  code: string
  constraint: string | undefined
  constructor(message: string, code: string, constraint: string | undefined) {
    super(message)
    this.code = code
    this.constraint = constraint
  }
}

// From `postgres`, from Node's sockets, and SQLSTATEs: https://www.postgresql.org/docs/18/errcodes-appendix.html
const CONNECTION_CODES =
  /^(CONNECTION_\w+|CONNECT_TIMEOUT|ECONN\w+|EPIPE|ENOENT|ENOTFOUND|EAI_AGAIN|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|08...|57P0.|25P03)$/
// Serialization, deadlock, lock not available, cancelled by a time limit, out of resources, a standby answered.
const CONTENTION_CODES = /^(40001|40P01|55P03|57014|53...|25006)$/
const DISK_FULL = '53100'
/** SQLSTATE classes of what our own functions raise: the state of the database contradicts us; */
const OWN_FAULTS = /^BW...$/
/** what a person asked for cannot be. */
const USAGE = /^BU...$/
const CORRUPTION = /^XX00[12]$/
/** A value that Postgres cannot take (class 22), such as U+0000 in a text. No try will help. */
const BAD_VALUE = /^22...$/

/** An error of the right kind, saying what was being done; the cause carries no values. */
export function databaseError(what: string, error: unknown): Error {
  if (isThrownKind(error)) return error
  const code = sqlState(error)
  if (code === undefined) return error instanceof Error ? error : new Error(what, { cause: error })
  const options = { cause: withoutValues(error as Error, code) }
  if (CONNECTION_CODES.test(code))
    return new RetryableError(`${what}: the database connection was lost (${code})`, options)
  if (code === DISK_FULL)
    return new RetryableError(`${what}: the disk of the database is full (${code})`, options)
  if (CONTENTION_CODES.test(code))
    return new RetryableError(`${what}: the database is busy (${code})`, options)
  if (OWN_FAULTS.test(code))
    return new FatalError(`${what}: ${(error as Error).message} (${code})`, options)
  if (USAGE.test(code)) return new UsageError((error as Error).message, options)
  if (CORRUPTION.test(code))
    return new FatalError(`${what}: Postgres reports damaged data (${code})`, options)
  if (BAD_VALUE.test(code))
    return new PermanentError(`${what}: Postgres cannot take a value (${code})`, options)
  return new Error(`${what}: ${options.cause.message} (${code})`, options)
}

/** The SQLSTATE, or the driver's or the socket's code; also of an error that was sorted already. */
export function sqlState(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined
  if ('code' in error && typeof error.code === 'string') return error.code
  return error.cause instanceof DatabaseFault ? error.cause.code : undefined
}

function isThrownKind(error: unknown): error is Error {
  return (
    error instanceof RetryableError ||
    error instanceof PermanentError ||
    error instanceof FatalError ||
    error instanceof UsageError
  )
}

function withoutValues(error: Error, code: string): DatabaseFault {
  const constraint = (error as { constraint_name?: string }).constraint_name
  // Postgres quotes a rejected literal behind a colon: `invalid input syntax for type uuid: "…"`.
  const message = error.message.replace(/: ".*/s, '')
  return new DatabaseFault(message, code, constraint)
}
