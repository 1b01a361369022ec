// The commands that stand between a decoder child and everything else. Each one replaces itself by the next, so the
// process we started is the child: its pid is the one to limit, to measure and to kill.
// Sources: unshare(1), prlimit(1), setpriv(1) of util-linux; nodejs.org/api/permissions.html.
import { existsSync } from 'node:fs'
import { findPackageJSON } from 'node:module'
import { dirname, extname } from 'node:path'
import { fileURLToPath } from 'node:url'

export type Walls = {
  /** Memory, processor time, open files, no written bytes, no core dump. */
  limits: 'set' | 'missing'
  /** `cut`: a network namespace without a single interface, as root or inside a user namespace. */
  network: 'cut' | 'cut-by-user-namespace' | 'open'
  /** `own`: a user id that nothing else has, no capabilities. `dropped`: our user, no new privileges. */
  user: 'own' | 'dropped' | 'same'
}

export type Limits = { memoryBytes: number; processorSeconds: number }

/** What V8 reserves for code and never touches in a child; RLIMIT_DATA counts it (measured: 512 MiB on Node 24). */
const reservedBytes = 512 * 1024 * 1024
const filesMax = 64
const threadsMax = 32
/** A backstop that only root could raise; the soft limit is what ends an image. */
const processorSecondsHard = 20_000
/** The range systemd leaves for users that live as long as one service (UIDS-GIDS.md). */
const userIds = { first: 61_184, count: 4_336 }

/** The words before `node`. `serial` makes the user id differ from child to child. */
export function wallCommand(walls: Walls, limits: Limits, serial: number): string[] {
  return [
    ...networkWords(walls.network),
    ...(walls.limits === 'set' ? limitWords(walls, limits) : []),
    ...userWords(walls.user, userIds.first + (serial % userIds.count)),
  ]
}

/**
 * The words before a program that is not ours. `network: true` leaves the network open; what V8 reserves is not added, so a
 * program of Node needs 600 MB. Processes that it starts are in a namespace with it and end with it, whatever session they are
 * in. There it is the first, which the signal of a soft limit does not end: the limit of processor time is a hard one.
 */
export function programCommand(
  walls: Walls,
  limits: Limits & { network: boolean },
  serial: number,
): string[] {
  const { processorSeconds } = limits
  const own = { reserved: 0, processorSecondsHard: processorSeconds }
  return [
    // Its parent is `unshare`, so that is what has to end with us.
    ...(walls.user === 'same' ? [] : [tool('setpriv'), '--pdeathsig=KILL']),
    ...treeWords(walls.network, limits.network),
    ...(walls.limits === 'set' ? limitWords(walls, limits, own) : []),
    ...userWords(walls.user, userIds.first + (serial % userIds.count)),
  ]
}

function treeWords(able: Walls['network'], withNetwork: boolean): string[] {
  if (able === 'open') return []
  const words = withNetwork
    ? [tool('unshare'), ...(able === 'cut' ? [] : ['--map-current-user'])]
    : networkWords(able)
  return [...words, '--pid', '--fork', '--kill-child=KILL']
}

function networkWords(network: Walls['network']): string[] {
  if (network === 'open') return []
  const words = [tool('unshare'), '--net', '--ipc']
  return network === 'cut' ? words : [...words, '--map-current-user']
}

function limitWords(
  walls: Walls,
  limits: Limits,
  own = { reserved: reservedBytes, processorSecondsHard },
): string[] {
  // The count of threads is kept per user: it only means this child where the user, or its namespace, is its own.
  const countsAlone = walls.user === 'own' || walls.network === 'cut-by-user-namespace'
  return [
    tool('prlimit'),
    `--data=${limits.memoryBytes + own.reserved}`,
    `--cpu=${limits.processorSeconds}:${own.processorSecondsHard}`,
    `--nofile=${filesMax}`,
    '--fsize=0',
    '--core=0',
    ...(countsAlone ? [`--nproc=${threadsMax}`] : []),
  ]
}

function userWords(user: Walls['user'], id: number): string[] {
  if (user === 'same') return []
  const words = [tool('setpriv'), '--no-new-privs', '--inh-caps=-all', '--pdeathsig=KILL']
  if (user === 'dropped') return words
  return [...words, '--bounding-set=-all', '--clear-groups', `--reuid=${id}`, `--regid=${id}`]
}

/** Fixed folders, not PATH: what guards us must not come from a folder that somebody put in front. */
export function tool(name: string): string {
  const folders = ['/usr/bin', '/bin', '/usr/sbin', '/sbin', '/run/current-system/sw/bin']
  return folders.map((folder) => `${folder}/${name}`).find((path) => existsSync(path)) ?? name
}

/** Node's own wall: no child processes, no worker threads, no file writes, reads only of our code and sharp's. */
export function permissionWords(): string[] {
  const folders = [import.meta.dirname, ...sharpFolders()]
  return [
    '--permission',
    '--allow-addons',
    ...folders.map((folder) => `--allow-fs-read=${folder}/`),
  ]
}

function sharpFolders(): string[] {
  const sharp = packageFolder('sharp', import.meta.url)
  return [
    sharp,
    dirname(packageFolder('@img/colour', `${sharp}/package.json`)),
    ...['detect-libc', 'semver'].map((name) => packageFolder(name, `${sharp}/package.json`)),
  ]
}

function packageFolder(name: string, base: string): string {
  const found = findPackageJSON(name, base)
  if (found === undefined) throw new Error(`the package ${name} is not installed`)
  return dirname(found)
}

/** A module beside this one as a path: `.ts` from the sources, `.js` from a published package. */
export function besideThisFile(name: string): string {
  return fileURLToPath(new URL(name + extname(import.meta.filename), import.meta.url))
}
