// One dedicated connection, for what lives as long as a session: advisory locks, migrations.
// `postgres` reconnects in silence and the locks are gone; a Session is over for good when its connection is.
import { RetryableError } from '../domain/errors.ts'
import type { DatabaseAddress } from './address.ts'
import { ask, connectWith } from './client.ts'
import type { ClientOptions, Database } from './client.ts'

export type Session = {
  /** Refuses every statement once the connection is lost. One statement at a time: await each. */
  sql: Database
  /** The server process that holds our locks. */
  backendPid: number
  /** Aborts once, when the connection is lost or the session disposed. */
  lost: AbortSignal
  [Symbol.asyncDispose](): Promise<void>
}

export type SessionOptions = Omit<ClientOptions, 'max'> & {
  /** Until the first answer. */
  openTimeoutMs?: number
}

const OPEN_TIMEOUT_MS = 10_000

/** Throws RetryableError when the server cannot be reached. */
export async function openSession(
  address: DatabaseAddress,
  options: SessionOptions,
): Promise<Session> {
  const lost = new AbortController()
  const client = connectWith(
    address,
    { ...options, max: 1 },
    {
      max_lifetime: null,
      idle_timeout: 0,
      onclose: () => lost.abort(new RetryableError('the database session was lost')),
    },
  )
  const end = async () => {
    lost.abort(new RetryableError('the database session was closed'))
    await client.end({ timeout: 0 })
  }
  try {
    const limitMs = options.openTimeoutMs ?? OPEN_TIMEOUT_MS
    const asked = client<{ pid: number }[]>`select pg_backend_pid() as pid`
    const backendPid = (await ask('open a session', asked, limitMs))[0]?.pid ?? 0
    return {
      sql: refuseWhenLost(client, lost.signal),
      backendPid,
      lost: lost.signal,
      [Symbol.asyncDispose]: end,
    }
  } catch (error) {
    await end()
    throw error
  }
}

function refuseWhenLost(client: Database, lost: AbortSignal): Database {
  return new Proxy(client, {
    apply: (target, self, args) => {
      lost.throwIfAborted()
      return Reflect.apply(target, self, args) as unknown
    },
    get: (target, key) => {
      if (key === 'unsafe') lost.throwIfAborted()
      return Reflect.get(target, key) as unknown
    },
  })
}
