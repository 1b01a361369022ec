// A real Postgres for one machine with no set-up.
//
// Promises: one server a data folder, however many processes ask; the last one out stops it; a server that a
// killed process left behind is adopted; reachable only through a socket in a private folder.
// Assumes a local disk and, on Linux, /proc. A crash of ours leaves the server running and the data whole;
// a crash of the server (or lost power) is repaired by Postgres at the next start.
import type { ChildProcess } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { FatalError, RetryableError } from '../domain/errors.ts'
import { SOCKET_PORT, describeAddress } from './address.ts'
import type { SocketAddress } from './address.ts'
import type { Log } from './client.ts'
import { findBinaries } from './embedded-binaries.ts'
import { findPlace, makeSocketDir } from './embedded-place.ts'
import type { Place } from './embedded-place.ts'
import { joinServer, leaveServer } from './embedded-presence.ts'
import {
  APP_ROLE,
  DATABASE_NAME,
  OWNER_ROLE,
  SUPERUSER,
  boundLog,
  ensureCluster,
  forgetReusedPid,
  isClusterInUse,
  lastLogLines,
  launch,
  logSize,
  readPostmaster,
} from './embedded-server.ts'
import type { Session } from './session.ts'

export type EmbeddedOptions = {
  dataDir: string
  log: Log
  /** Does not wait for the disk: for tests. */
  fast?: boolean
  startTimeoutMs?: number
  /** For tests: a platform package somewhere else. */
  packageDir?: string
}

export type EmbeddedPostgres = {
  /** Owns the database and its schema; not a superuser. */
  owner: SocketAddress
  /** May do what the migrations grant. */
  app: SocketAddress
  superuser: SocketAddress
  /** For psql. */
  ownerUrl: string
  appUrl: string
  /** Such as `18.4`. */
  version: string
  /** Where the cluster, its log and mostly its socket are. */
  dir: string
  socketDir: string
  origin: 'started' | 'adopted'
  /** Aborts when the server is gone for good without our doing. */
  lost: AbortSignal
  /** Stops the server unless another process uses it. */
  [Symbol.asyncDispose](): Promise<void>
}

const START_TIMEOUT_MS = 60_000
const REJOIN_TIMEOUT_MS = 30_000
const POLL_MS = 40
const LOG_CHECK_MS = 60_000

export async function startEmbedded(options: EmbeddedOptions): Promise<EmbeddedPostgres> {
  const { log } = options
  const place = await findPlace({ ...options, scratch: options.fast ?? false })
  const running = await adoptOrStart(place, options)
  log.info(
    `Postgres ${running.version} ${running.origin === 'started' ? 'started' : 'was running already'}`,
  )
  const presence = keepPresence(running.session, place, log)
  const logTimer = setInterval(() => {
    boundLog(place.logFile).catch((error: unknown) =>
      log.warn('the Postgres log could not be shortened', { error }),
    )
  }, LOG_CHECK_MS).unref()
  const address = (username: string, database: string): SocketAddress => {
    return { host: running.socketDir, port: SOCKET_PORT, database, username }
  }
  return {
    owner: address(OWNER_ROLE, DATABASE_NAME),
    app: address(APP_ROLE, DATABASE_NAME),
    superuser: address(SUPERUSER, 'postgres'),
    ownerUrl: describeAddress(address(OWNER_ROLE, DATABASE_NAME)),
    appUrl: describeAddress(address(APP_ROLE, DATABASE_NAME)),
    version: running.version,
    dir: place.dir,
    socketDir: running.socketDir,
    origin: running.origin,
    lost: presence.lost,
    [Symbol.asyncDispose]: async () => {
      clearInterval(logTimer)
      const session = await presence.end()
      if (session) await leaveServer(session, { clusterDir: place.clusterDir, log })
    },
  }
}

/** Stops the server of a data folder if one runs and nobody uses it; starts none. */
export async function stopEmbedded(options: { dataDir: string; log: Log }): Promise<void> {
  const place = await findPlace({ ...options, scratch: false })
  const joined = await tryJoin(place, options.log)
  if (joined) await leaveServer(joined.session, { clusterDir: place.clusterDir, log: options.log })
}

type Running = {
  session: Session
  socketDir: string
  version: string
  origin: 'started' | 'adopted'
}

/** Joins the server that runs, or starts one and joins it; tries again while others start or stop theirs. */
async function adoptOrStart(place: Place, options: EmbeddedOptions): Promise<Running> {
  const endMs = Date.now() + (options.startTimeoutMs ?? START_TIMEOUT_MS)
  const logFrom = await logSize(place.logFile)
  let child: ChildProcess | undefined
  while (Date.now() < endMs) {
    const joined = await tryJoin(place, options.log)
    if (joined) {
      const isOurs = child !== undefined && joined.pid === child.pid
      return { ...joined, origin: isOurs ? 'started' : 'adopted' }
    }
    if (child && isOver(child)) await assertClash(place, child, logFrom)
    if ((child === undefined || isOver(child)) && !(await isClusterInUse(place.clusterDir))) {
      await forgetReusedPid(place.clusterDir)
      child = await startChild(place, options)
    }
    await sleep(POLL_MS)
  }
  throw new RetryableError(
    `Postgres did not start in time. The last lines of ${place.logFile}:\n` +
      (await lastLogLines(place.logFile, logFrom)),
  )
}

async function tryJoin(place: Place, log: Log) {
  const postmaster = await readPostmaster(place.clusterDir)
  if (!postmaster?.isReady) return undefined
  const joined = await joinServer(postmaster, log)
  return joined && { ...joined, pid: postmaster.pid, socketDir: postmaster.socketDir }
}

async function startChild(place: Place, options: EmbeddedOptions): Promise<ChildProcess> {
  const fast = options.fast ?? false
  const binaries = await findBinaries({ ...options, place })
  await ensureCluster(place, binaries, fast)
  return await launch(place, binaries, { socketDir: await makeSocketDir(place), fast })
}

function isOver(child: ChildProcess): boolean {
  return child.pid === undefined || child.exitCode !== null || child.signalCode !== null
}

/** Our server ended at once. That is in order only when another one was faster. */
async function assertClash(place: Place, child: ChildProcess, logFrom: number): Promise<void> {
  const lines = await lastLogLines(place.logFile, logFrom)
  if (/lock file ".*" already exists|is another postmaster/i.test(lines)) return
  const ending = child.exitCode ?? child.signalCode ?? 'not started'
  throw new FatalError(`Postgres ended (${ending}). The last lines of ${place.logFile}:\n${lines}`)
}

/** Holds our place at the server; joins again when one connection was lost but the server lives. */
function keepPresence(first: Session, place: Place, log: Log) {
  const gone = new AbortController()
  const ending = new AbortController()
  let current: Session | undefined = first
  let rejoining: Promise<void> = Promise.resolve()
  const watch = (session: Session) => {
    session.lost.addEventListener('abort', () => {
      if (!ending.signal.aborted) rejoining = rejoin()
    })
  }
  const rejoin = async () => {
    current = undefined
    const endMs = Date.now() + REJOIN_TIMEOUT_MS
    while (Date.now() < endMs && !ending.signal.aborted) {
      const joined = await tryJoin(place, log)
      if (joined) {
        current = joined.session
        return watch(joined.session)
      }
      if (!(await isClusterInUse(place.clusterDir))) break
      await sleep(POLL_MS)
    }
    if (ending.signal.aborted) return
    log.error('the embedded Postgres is gone')
    const lines = await lastLogLines(place.logFile, 0)
    gone.abort(
      new FatalError(
        `the embedded Postgres is gone. The last lines of ${place.logFile}:\n${lines}`,
      ),
    )
  }
  watch(first)
  return {
    lost: gone.signal,
    end: async (): Promise<Session | undefined> => {
      ending.abort()
      await rejoining
      return current
    },
  }
}
