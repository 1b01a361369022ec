// Where the embedded Postgres lives and as whom it runs. Postgres refuses to run as root, so root lends it
// another user; that user must reach its files, and nobody's folders change mode for it.
import { createHash } from 'node:crypto'
import {
  access,
  chmod,
  chown,
  link,
  lstat,
  mkdir,
  mkdtemp,
  readFile,
  realpath,
  rm,
  stat,
  writeFile,
} from 'node:fs/promises'
import { constants } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { UsageError } from '../domain/errors.ts'
import { SOCKET_PORT } from './address.ts'
import type { Log } from './client.ts'

/** The user that runs Postgres when we are root. */
export type RunAs = { uid: number; gid: number; name: string }

export type Place = {
  /** Holds everything below; the folder asked for, or where its place file points. */
  dir: string
  clusterDir: string
  logFile: string
  runAs: RunAs | undefined
}

/** What root uses when the folder asked for cannot be reached by the Postgres user. */
export const SYSTEM_DIR = '/var/lib/blobwatch'
const PLACE_FILE = 'postgres-is-in'
/** sun_path on Linux, less the closing zero byte. */
const SOCKET_PATH_BYTES_MAX = 107

/** Decides the place once for a data folder; later calls find the same. */
export async function findPlace(options: {
  dataDir: string
  log: Log
  scratch: boolean
}): Promise<Place> {
  await mkdir(options.dataDir, { recursive: true })
  const asked = await realpath(options.dataDir)
  const runAs = await chooseUser(join((await recordedPlace(asked)) ?? asked, 'cluster'))
  const dir = (await recordedPlace(asked)) ?? (await choosePlace(asked, runAs, options))
  if (dir !== asked) options.log.info(`the database of ${asked} is kept in ${dir}`)
  return { dir, clusterDir: join(dir, 'cluster'), logFile: join(dir, 'postgres.log'), runAs }
}

/** Makes a folder for the socket that only the Postgres user (and root) can enter. */
export async function makeSocketDir(place: Place): Promise<string> {
  const inside = join(place.dir, 'socket')
  if (fitsSocket(inside)) return await privateDir(inside, place.runAs)
  const name = `blobwatch-${shortHash(place.dir)}`
  const bases = [...(place.runAs ? ['/run'] : []), tmpdir(), '/tmp']
  for (const base of bases) {
    if (!fitsSocket(join(base, `${name}-123456`)) || !(await isUsable(base, place.runAs))) continue
    // Someone else may own that name in a shared folder: then a name that nobody can know.
    return await privateDir(join(base, name), place.runAs).catch(async () => {
      const fresh = await mkdtemp(join(base, `${name}-`))
      return await privateDir(fresh, place.runAs)
    })
  }
  throw new UsageError(`the path ${inside} is too long for a socket, and no shorter folder is free`)
}

/** Whether that user may enter the folder and all above it. Without a user: ourselves, always. */
export async function canReach(dir: string, runAs: RunAs | undefined): Promise<boolean> {
  if (runAs === undefined) return true
  for (let at = await realpath(dir); ; at = dirname(at)) {
    const { mode, uid, gid } = await stat(at)
    const bit = uid === runAs.uid ? 0o100 : gid === runAs.gid ? 0o010 : 0o001
    if ((mode & bit) === 0) return false
    if (at === dirname(at)) return true
  }
}

async function chooseUser(clusterDir: string): Promise<RunAs | undefined> {
  const owner = (await stat(clusterDir).catch(() => undefined))?.uid
  const ours = process.getuid?.()
  if (ours !== 0) {
    if (owner === undefined || owner === ours) return undefined
    throw new UsageError(`the database in ${clusterDir} belongs to user ${owner}; run as that user`)
  }
  const users = await readUsers()
  const isWanted = (user: RunAs) => (owner === undefined ? undefined : user.uid === owner)
  const user =
    users.find((user) => isWanted(user) ?? user.name === 'postgres') ??
    users.find((user) => isWanted(user) ?? user.name === 'nobody')
  return user ?? { uid: owner ?? 65_534, gid: owner ?? 65_534, name: `user ${owner ?? 65_534}` }
}

async function readUsers(): Promise<RunAs[]> {
  const text = await readFile('/etc/passwd', 'utf8').catch(() => '')
  return text.split('\n').flatMap((line) => {
    const [name, , uid, gid] = line.split(':')
    return name && uid && gid && uid !== '0' ? [{ name, uid: Number(uid), gid: Number(gid) }] : []
  })
}

async function recordedPlace(asked: string): Promise<string | undefined> {
  const text = await readFile(join(asked, PLACE_FILE), 'utf8').catch(() => undefined)
  return text?.trim()
}

async function choosePlace(
  asked: string,
  runAs: RunAs | undefined,
  options: { scratch: boolean },
): Promise<string> {
  if (await canReach(asked, runAs)) return asked
  const parent = await firstUsable(
    options.scratch ? [SYSTEM_DIR, tmpdir(), '/tmp'] : [SYSTEM_DIR],
    runAs,
  )
  if (parent === undefined)
    throw new UsageError(
      `Postgres cannot run as root, and user ${runAs?.name} can reach neither ${asked} nor ${SYSTEM_DIR}; ` +
        'choose a data folder which that user can reach, run as an ordinary user, or set DATABASE_URL',
    )
  // Random at the end: a data folder that was deleted and made anew must not find the old data again.
  const dir = await mkdtemp(join(parent, `data-${shortHash(asked)}-`))
  await chmod(dir, 0o711)
  return await recordPlace(asked, dir)
}

/** Of two processes that come here at once one wins, and both use the winner's place. */
async function recordPlace(asked: string, dir: string): Promise<string> {
  const draft = join(asked, `${PLACE_FILE}.${process.pid}`)
  await writeFile(draft, `${dir}\n`)
  try {
    await link(draft, join(asked, PLACE_FILE))
    return dir
  } catch (error) {
    const theirs = await recordedPlace(asked)
    await rm(dir, { recursive: true })
    if (theirs === undefined) throw error
    return theirs
  } finally {
    await rm(draft)
  }
}

async function firstUsable(bases: string[], runAs: RunAs | undefined): Promise<string | undefined> {
  for (const base of bases) if (await isUsable(base, runAs)) return base
  return undefined
}

async function isUsable(base: string, runAs: RunAs | undefined): Promise<boolean> {
  try {
    await mkdir(base, { recursive: true })
    await access(base, constants.W_OK | constants.X_OK)
    return await canReach(base, runAs)
  } catch {
    // Read-only or not ours: the next one is asked.
    return false
  }
}

async function privateDir(path: string, runAs: RunAs | undefined): Promise<string> {
  await mkdir(path, { mode: 0o700 }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error
  })
  const found = await lstat(path)
  const wanted = runAs?.uid ?? found.uid
  const isOurs = found.uid === wanted || found.uid === process.getuid?.()
  if (!found.isDirectory() || !isOurs || (found.mode & 0o077) !== 0)
    throw new UsageError(`${path} exists and is not a private folder of ours`)
  if (runAs) await chown(path, runAs.uid, runAs.gid)
  return path
}

function fitsSocket(dir: string): boolean {
  return Buffer.byteLength(join(dir, `.s.PGSQL.${SOCKET_PORT}.lock`)) <= SOCKET_PATH_BYTES_MAX
}

function shortHash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 12)
}
