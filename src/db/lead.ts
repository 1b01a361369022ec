// Leadership: of all processes that contend for one lock, one at a time does the work.
//
// Promises: in normal operation there are never two leaders; a leader that lost its session hears of it within
// seconds and another takes over within ten. During a database failover or a long pause two may believe they
// lead: the fence is the epoch from `raiseEpoch`, which every write of a leader carries (steps/).
// Assumes a direct connection: a transaction pooler would give the lock to somebody else's session.
// A crash frees the lock as soon as the server sees the connection gone.
import { setTimeout as sleep } from 'node:timers/promises'
import { FatalError, RetryableError } from '../domain/errors.ts'
import { ask } from './client.ts'
import type { Log } from './client.ts'
import type { Session } from './session.ts'

export type Leadership = {
  /** Aborts when the lead is lost or `lead` is asked to end: stop writing and return. */
  signal: AbortSignal
  epoch: number
}

export type LeadOptions = {
  /** A new dedicated session for each attempt: `() => openSession(address, …)`. */
  open: () => Promise<Session>
  /** One number a kind of leader, the same in all processes. */
  lockKey: number
  /** Runs with the lock held, before `onLead`; returns the fence that the leader's writes carry. */
  raiseEpoch: () => Promise<number>
  /** The work. Must return soon after its signal aborts; the lock is not contended for again before. */
  onLead: (leadership: Leadership) => Promise<void>
  /** Ends leading and contending. */
  signal: AbortSignal
  log: Log
  /** How often a leader makes sure that it still holds the lock. */
  checkMs?: number
  /** How often the others try. */
  retryMs?: number
  /** After work that failed: others may try meanwhile. */
  againMs?: number
}

const CHECK_MS = 2_000
const RETRY_MS = 1_000
/** A server that does not answer for so long is taken for lost. */
const ANSWER_MS = 4_000

/** Contends and leads until `signal` aborts. Rejects only with a FatalError of `onLead` or `raiseEpoch`. */
export async function lead(options: LeadOptions): Promise<void> {
  while (!options.signal.aborted) {
    const retryMs = options.retryMs ?? RETRY_MS
    let waitMs = retryMs
    try {
      await using session = await options.open()
      if (await awaitLock(session, options)) await leadOnce(session, options)
    } catch (error) {
      if (error instanceof FatalError) throw error
      options.log.warn('leadership was interrupted', { error })
      waitMs = options.againMs ?? retryMs
    }
    await pause(waitMs, options.signal)
  }
}

/** False when asked to end before the lock was free. */
async function awaitLock(session: Session, options: LeadOptions): Promise<boolean> {
  const { sql } = session
  while (!options.signal.aborted) {
    const asked = sql<{ mine: boolean }[]>`select pg_try_advisory_lock(${options.lockKey}) as mine`
    const [lock] = await ask('ask for the lead', asked, ANSWER_MS)
    if (lock?.mine) return true
    await pause(options.retryMs ?? RETRY_MS, options.signal)
  }
  return false
}

/** Leads until the work ends, the session is lost, or we are asked to end. Disposing the session frees the lock. */
async function leadOnce(session: Session, options: LeadOptions): Promise<void> {
  const done = new AbortController()
  const lost = new AbortController()
  const signal = AbortSignal.any([options.signal, session.lost, lost.signal])
  const checking = checkLock(session, options, AbortSignal.any([signal, done.signal])).catch(
    (error: unknown) => lost.abort(error),
  )
  try {
    const epoch = await options.raiseEpoch()
    options.log.info('this process leads now', { epoch })
    if (!signal.aborted) await options.onLead({ signal, epoch })
  } finally {
    done.abort()
    await checking
    options.log.info('this process leads no more')
  }
}

/** Throws when the lock is not ours any more: the connection may look well and belong to another backend. */
async function checkLock(
  session: Session,
  { lockKey, checkMs = CHECK_MS }: LeadOptions,
  end: AbortSignal,
): Promise<void> {
  for (await pause(checkMs, end); !end.aborted; await pause(checkMs, end)) {
    // A bigint key is kept in two halves: https://www.postgresql.org/docs/18/view-pg-locks.html
    const asked = session.sql<{ ours: boolean }[]>`
      select pg_backend_pid() = ${session.backendPid} and exists (
        select from pg_locks where locktype = 'advisory' and pid = pg_backend_pid() and granted
          and classid::bigint << 32 | objid::bigint = ${lockKey}::bigint and objsubid = 1
          and database = (select oid from pg_database where datname = current_database())) as ours`
    const [lock] = await ask('check the lead', asked, ANSWER_MS)
    if (!lock?.ours) throw new RetryableError('the lock of the leader is gone')
  }
}

/** Returns early, without an error, when the signal aborts. */
async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => {})
}
