// The Postgres server process: making its cluster, starting it, telling whether it runs, stopping it.
// No lock of ours is needed: a cluster appears whole by a rename, and of two servers started on one cluster
// Postgres itself lets one go on (postmaster.pid).
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import {
  chown,
  link,
  mkdtemp,
  open,
  readFile,
  readdir,
  readlink,
  rename,
  rm,
  stat,
  writeFile,
} from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { FatalError, UsageError } from '../domain/errors.ts'
import { SOCKET_PORT } from './address.ts'
import { childOptions } from './embedded-binaries.ts'
import type { Binaries } from './embedded-binaries.ts'
import type { Place } from './embedded-place.ts'

/** postmaster.pid: https://github.com/postgres/postgres/blob/REL_18_STABLE/src/include/utils/pidfile.h */
export type Postmaster = { pid: number; startedAtS: number; socketDir: string; isReady: boolean }

const PID_FILE = 'postmaster.pid'
export const DATABASE_NAME = 'blobwatch'
export const OWNER_ROLE = 'blobwatch_owner'
export const APP_ROLE = 'blobwatch_app'
export const SUPERUSER = 'postgres'

const FAST_STOP_MS = 8_000
const IMMEDIATE_STOP_MS = 5_000
const LOG_BYTES_MAX = 4 * 1024 * 1024
const LOG_BYTES_KEPT = 256 * 1024
const LOG_LINES_SHOWN = 15

// Roles and database are there before the cluster is: nobody ever sees it half made.
const FIRST_STATEMENTS = [
  `create role ${OWNER_ROLE} login`,
  `create role ${APP_ROLE} login`,
  `create database ${DATABASE_NAME} owner ${OWNER_ROLE}`,
  `revoke all on database ${DATABASE_NAME} from public`,
  `grant connect on database ${DATABASE_NAME} to ${APP_ROLE}`,
]

const SETTINGS = {
  listen_addresses: '',
  port: SOCKET_PORT,
  max_connections: 100,
  shared_buffers: '128MB',
  max_wal_size: '1GB',
  synchronous_commit: 'on',
  jit: 'off',
  // Plans made for an empty queue or bank are replaced soon after it fills.
  autovacuum_naptime: '10s',
  // Parallel workers need more of /dev/shm than a container gives.
  max_parallel_workers_per_gather: 0,
  max_parallel_maintenance_workers: 0,
  timezone: 'UTC',
  log_timezone: 'UTC',
  // Neither statements nor the values in DETAIL lines may reach the log (promise 8).
  log_min_error_statement: 'panic',
  log_error_verbosity: 'terse',
  log_parameter_max_length_on_error: 0,
  log_checkpoints: 'off',
  log_line_prefix: '%m [%p] %a ',
}

/** Lost power loses the data: for tests, which have many databases in one cluster. */
const FAST_SETTINGS = { fsync: 'off', full_page_writes: 'off', autovacuum_naptime: '1min' }

export async function ensureCluster(
  place: Place,
  binaries: Binaries,
  fast: boolean,
): Promise<void> {
  const version = await readFile(join(place.clusterDir, 'PG_VERSION'), 'utf8').catch(
    () => undefined,
  )
  if (version !== undefined) return await assertSameMajor(place, binaries, version.trim())
  const draft = await mkdtemp(`${place.clusterDir}.new-`)
  try {
    if (place.runAs) await chown(draft, place.runAs.uid, place.runAs.gid)
    await initialise(draft, place, binaries, fast)
    await rename(draft, place.clusterDir)
    await syncDir(place.dir)
  } catch (error) {
    await rm(draft, { recursive: true, force: true })
    // Another process was faster: its cluster is as good.
    if (!['ENOTEMPTY', 'EEXIST'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error
  }
}

/** A session of its own (setsid): ctrl-C at our terminal and our own death do not reach it. */
export async function launch(
  place: Place,
  binaries: Binaries,
  options: { socketDir: string; fast: boolean },
): Promise<ChildProcess> {
  await boundLog(place.logFile)
  const settings = { ...SETTINGS, ...(options.fast ? FAST_SETTINGS : {}) }
  const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
  const log = await open(place.logFile, 'a', 0o600)
  try {
    const child = spawn(
      binaries.postgres,
      ['-D', place.clusterDir, '-k', options.socketDir, ...flags],
      {
        ...childOptions(place.runAs),
        detached: true,
        stdio: ['ignore', log.fd, log.fd],
      },
    )
    child.on('error', () => {}) // A failed spawn shows as a missing pid.
    child.unref()
    return child
  } finally {
    await log.close()
  }
}

export async function readPostmaster(clusterDir: string): Promise<Postmaster | undefined> {
  const text = await readFile(join(clusterDir, PID_FILE), 'utf8').catch(() => undefined)
  return parsePostmaster(text)
}

export function parsePostmaster(text: string | undefined): Postmaster | undefined {
  const lines = text?.split('\n').map((line) => line.trim()) ?? []
  const pid = Number(lines[0])
  if (!Number.isSafeInteger(pid) || pid <= 0) return undefined
  const isReady = lines[7] === 'ready'
  return { pid, startedAtS: Number(lines[2]), socketDir: lines[4] ?? '', isReady }
}

/** Whether a server or one of its children works in the cluster; without /proc, whether that pid lives. */
export async function isClusterInUse(clusterDir: string): Promise<boolean> {
  const users = await processesIn(clusterDir)
  if (users !== undefined) return users.length > 0
  const postmaster = await readPostmaster(clusterDir)
  return postmaster !== undefined && trySignal(postmaster.pid, 0)
}

/**
 * Sets aside a postmaster.pid whose number another program has by now, as happens when a container starts
 * again: Postgres would refuse to start for ever. Any other stale file Postgres replaces by itself.
 */
export async function forgetReusedPid(clusterDir: string): Promise<void> {
  const path = join(clusterDir, PID_FILE)
  const before = await readFile(path, 'utf8').catch(() => undefined)
  const pid = parsePostmaster(before)?.pid
  if (pid === undefined || !trySignal(pid, 0) || (await isClusterInUse(clusterDir))) return
  const aside = `${path}.stale-${process.pid}`
  await rename(path, aside)
  // A server that started meanwhile wrote its own file: that one is put back.
  if ((await readFile(aside, 'utf8')) !== before) await link(aside, path)
  await rm(aside)
}

/** Returns false when the server is not ours to stop: another container's, or gone already. */
export async function stopPostmaster(clusterDir: string, postmaster: Postmaster): Promise<boolean> {
  const users = await processesIn(clusterDir)
  if (users && !users.includes(postmaster.pid)) return false
  for (const [signal, limitMs] of [
    ['SIGINT', FAST_STOP_MS],
    ['SIGQUIT', IMMEDIATE_STOP_MS],
  ] as const) {
    if (!trySignal(postmaster.pid, signal)) return true
    for (const endMs = Date.now() + limitMs; Date.now() < endMs; await sleep(20)) {
      if ((await readPostmaster(clusterDir))?.pid !== postmaster.pid) return true
    }
  }
  throw new FatalError(`Postgres (process ${postmaster.pid}) does not stop`)
}

export async function logSize(logFile: string): Promise<number> {
  return (await stat(logFile).catch(() => undefined))?.size ?? 0
}

/** The last lines that the server wrote since the log had that size. */
export async function lastLogLines(logFile: string, fromByte: number): Promise<string> {
  const bytes = await readFile(logFile).catch(() => Buffer.alloc(0))
  const lines = bytes.subarray(fromByte).toString('utf8').trim().split('\n')
  return lines.slice(-LOG_LINES_SHOWN).join('\n')
}

/** Keeps the end of a log that grew too long. The server appends, so it may go on writing meanwhile. */
export async function boundLog(logFile: string): Promise<void> {
  if ((await logSize(logFile)) <= LOG_BYTES_MAX) return
  const bytes = await readFile(logFile)
  await writeFile(`${logFile}.1`, bytes.subarray(-LOG_BYTES_KEPT), { mode: 0o600 })
  const log = await open(logFile, 'r+')
  await log.truncate(0)
  await log.close()
}

async function assertSameMajor(place: Place, binaries: Binaries, found: string): Promise<void> {
  const { output } = await runChild(binaries.postgres, ['--version'], place)
  const ours = /(\d+)\./.exec(output)?.[1]
  if (ours === found) return
  throw new UsageError(
    `the database in ${place.clusterDir} was made by Postgres ${found} and this Blobwatch brings Postgres ${ours}; ` +
      `dump it with the earlier Blobwatch and restore it here, or run Postgres ${found} and set DATABASE_URL`,
  )
}

async function initialise(
  dir: string,
  place: Place,
  binaries: Binaries,
  fast: boolean,
): Promise<void> {
  const flags = ['--auth=trust', '--encoding=UTF8', '--locale=C', '--no-instructions']
  const durability = fast ? ['--no-sync'] : []
  const made = await runChild(
    binaries.initdb,
    ['-D', dir, '--username', SUPERUSER, ...flags, ...durability],
    place,
  )
  if (made.code !== 0) throw new FatalError(`initdb failed: ${tail(made.output)}`)
  const hba = join(dir, 'pg_hba.conf')
  await writeFile(
    hba,
    '# The private folder of the socket is the protection.\nlocal all all trust\n',
  )
  const single = ['--single', '-D', dir, ...(fast ? ['-c', 'fsync=off'] : []), SUPERUSER]
  const filled = await runChild(
    binaries.postgres,
    single,
    place,
    `${FIRST_STATEMENTS.join('\n')}\n`,
  )
  if (filled.code !== 0 || /ERROR|FATAL|PANIC/.test(filled.output))
    throw new FatalError(`setting up the database failed: ${tail(filled.output)}`)
}

async function runChild(
  file: string,
  args: string[],
  place: Place,
  input = '',
): Promise<{ code: number | null; output: string }> {
  const child = spawn(file, args, { ...childOptions(place.runAs), stdio: ['pipe', 'pipe', 'pipe'] })
  const exited = new Promise<number | null>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', resolve)
  })
  const chunks: Buffer[] = []
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk))
  child.stderr.on('data', (chunk: Buffer) => chunks.push(chunk))
  child.stdin.on('error', () => {}) // A child that died early says why on stderr.
  child.stdin.end(input)
  const code = await exited
  return { code, output: Buffer.concat(chunks).toString('utf8') }
}

/** The processes whose working folder is the cluster: the postmaster and its children. */
async function processesIn(clusterDir: string): Promise<number[] | undefined> {
  const names = await readdir('/proc').catch(() => undefined)
  if (names === undefined) return undefined
  const pids = names.filter((name) => /^\d+$/.test(name))
  const folders = await Promise.all(
    pids.map((pid) => readlink(`/proc/${pid}/cwd`).catch(() => undefined)),
  )
  return pids.filter((_, index) => folders[index] === clusterDir).map(Number)
}

function trySignal(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    process.kill(pid, signal)
    return true
  } catch {
    // It ended by itself, or it is not ours.
    return false
  }
}

async function syncDir(dir: string): Promise<void> {
  const handle = await open(dir, 'r')
  await handle.sync()
  await handle.close()
}

function tail(output: string): string {
  return output.trim().split('\n').slice(-LOG_LINES_SHOWN).join('\n')
}
