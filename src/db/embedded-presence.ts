// Who uses the embedded server. Each process holds a shared advisory lock for as long as it does; who can turn
// its own into an exclusive one is the last. Newcomers wait for that lock, so none can slip in while the server stops.
import { setTimeout as sleep } from 'node:timers/promises'
import { SOCKET_PORT } from './address.ts'
import { ask } from './client.ts'
import type { Log } from './client.ts'
import { SUPERUSER, parsePostmaster, readPostmaster, stopPostmaster } from './embedded-server.ts'
import type { Postmaster } from './embedded-server.ts'
import { openSession } from './session.ts'
import type { Session } from './session.ts'

/** In the database `postgres`, which nobody else locks anything in. */
const PRESENCE_LOCK = 1_651_270_755
const JOIN_TIMEOUT_MS = 10_000
/** A stop has ten seconds for everything; a server that does not answer is left running. */
const LEAVE_MS = 2_000
/** A connection that was just closed takes the server a moment to notice. */
const OTHERS_GONE_MS = 1_000

/** Undefined when that server does not answer, is stopping, or is not the one that wrote postmaster.pid. */
export async function joinServer(
  postmaster: Postmaster,
  log: Log,
): Promise<{ session: Session; version: string } | undefined> {
  const address = {
    host: postmaster.socketDir,
    port: SOCKET_PORT,
    database: 'postgres',
    username: SUPERUSER,
  }
  const settings = { applicationName: 'blobwatch presence', log, openTimeoutMs: JOIN_TIMEOUT_MS }
  const session = await openSession(address, settings).catch(() => undefined)
  if (session === undefined) return undefined
  try {
    const [server] = await ask(
      'ask which server answers',
      session.sql<{ file: string; version: string }[]>`
        select pg_read_file('postmaster.pid') as file, current_setting('server_version') as version`,
      JOIN_TIMEOUT_MS,
    )
    // A socket folder in a shared place may have changed hands: is this the server that wrote the file we read?
    const answering = parsePostmaster(server?.file)
    if (answering?.pid !== postmaster.pid || answering.startedAtS !== postmaster.startedAtS)
      throw new Error('another server answers there')
    await ask(
      'join the server',
      session.sql`select pg_advisory_lock_shared(${PRESENCE_LOCK})`,
      JOIN_TIMEOUT_MS,
    )
    return { session, version: server?.version ?? '' }
  } catch {
    // It is going down, or answers for another cluster: the caller looks again.
    await session[Symbol.asyncDispose]()
    return undefined
  }
}

/** Ends our presence, and the server with it when we were the last. */
export async function leaveServer(
  session: Session,
  options: { clusterDir: string; log: Log },
): Promise<void> {
  await using last = session
  try {
    const others = await whoIsLeft(last)
    if (others > 0) {
      options.log.info('Postgres keeps running: other processes use it', { count: others })
      return
    }
  } catch (error) {
    // The server went away by itself; at the next start it is found as it is.
    options.log.warn('Postgres was gone before it could be stopped', { error })
    return
  }
  const postmaster = await readPostmaster(options.clusterDir)
  if (postmaster && (await stopPostmaster(options.clusterDir, postmaster)))
    options.log.info('Postgres stopped')
}

/** Zero once we hold the lock alone and no client of another process is connected. */
async function whoIsLeft({ sql }: Session): Promise<number> {
  await ask('leave the server', sql`select pg_advisory_unlock_shared(${PRESENCE_LOCK})`, LEAVE_MS)
  const [lock] = await ask(
    'ask who is left',
    sql<{ mine: boolean }[]>`select pg_try_advisory_lock(${PRESENCE_LOCK}) as mine`,
    LEAVE_MS,
  )
  if (!lock?.mine) return 1
  for (const endMs = Date.now() + OTHERS_GONE_MS; ; await sleep(25)) {
    // Our own connections end with the process id (client.ts), so a pool left open by us does not count.
    const [left] = await ask(
      'count who is left',
      sql<{ others: number }[]>`
        select count(*)::int as others from pg_stat_activity
        where backend_type = 'client backend' and pid <> pg_backend_pid()
          and application_name not like ${`% ${process.pid}`}`,
      LEAVE_MS,
    )
    if (!left?.others || Date.now() > endMs) return left?.others ?? 0
  }
}
