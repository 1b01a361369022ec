// Starts processes that may do nothing but compute: hostile images are decoded in them.
//
// Promises: no environment, no descriptor but the three pipes, and every wall that this machine has (walls.ts). What is
// missing is said once through `warn` and shown by `walls`, never hidden: doctor prints it.
// Assumes: util-linux for the kernel's walls. Node's permission model stands everywhere, but stops JavaScript only: native
// code that was taken over is stopped by the kernel's walls alone. Reading files that everybody may read and starting a
// bounded number of processes remain open to it.
// A crash leaves nothing: children see their pipe close and, where setpriv works, are killed with us.
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process'
import { RetryableError } from '../domain/errors.ts'
import {
  besideThisFile,
  permissionWords,
  programCommand,
  tool,
  wallCommand,
  type Limits,
} from './walls.ts'
import type { Walls } from './walls.ts'

const probeMsMax = 10_000

export type SandboxOptions = Limits & {
  /** Node 24. */
  nodePath: string
  /** Called once for each wall that this machine does not have. */
  warn: (message: string) => void
}

export type Sandbox = {
  walls: Walls
  limits: Limits
  /** `permission: false` leaves out Node's wall: the self-test sees the kernel's alone. */
  spawn(
    script: string,
    words?: string[],
    options?: { permission: boolean },
  ): ChildProcessWithoutNullStreams
  /** A program that is not ours behind the kernel's walls, without Node's. `argv[0]` is a path. No shell reads the words. */
  spawnProgram(
    argv: readonly string[],
    limits: Limits & { network: boolean },
  ): ChildProcessWithoutNullStreams
  /** The same walls with other limits. */
  limitedTo(limits: Limits): Sandbox
  /** Moves the limit of processor time, which counts from the child's start. False where that is not allowed. */
  limitProcessorSeconds(pid: number, seconds: number): Promise<boolean>
}

/** Tries the walls with the real decoder child. Throws RetryableError when it does not even start without them. */
export async function openSandbox(options: SandboxOptions): Promise<Sandbox> {
  const walls = await findWalls(options)
  for (const message of missing(walls)) options.warn(message)
  let serial = process.pid * 16
  return sandboxBehind(walls, options, () => ++serial)
}

/** `nextSerial` is one count for all, so that no two children share a user. */
function sandboxBehind(walls: Walls, options: SandboxOptions, nextSerial: () => number): Sandbox {
  const { memoryBytes, processorSeconds } = options
  return {
    walls,
    limits: { memoryBytes, processorSeconds },
    limitedTo: (limits) => sandboxBehind(walls, { ...options, ...limits }, nextSerial),
    spawn: (script, words = [], { permission } = { permission: true }) =>
      spawnBehind(walls, options, nextSerial(), [
        ...(permission ? permissionWords() : []),
        script,
        ...words,
      ]),
    spawnProgram(argv, limits) {
      const [command, ...rest] = [...programCommand(walls, limits, nextSerial()), ...argv]
      return spawn(command!, rest, { env: {}, cwd: '/', detached: true, stdio: 'pipe' })
    },
    limitProcessorSeconds: async (pid, seconds) =>
      walls.limits === 'set' &&
      (await succeeds(
        spawn(tool('prlimit'), [`--pid=${pid}`, `--cpu=${seconds}:`], { env: {}, stdio: 'pipe' }),
      )),
  }
}

function spawnBehind(
  walls: Walls,
  options: SandboxOptions,
  serial: number,
  words: string[],
): ChildProcessWithoutNullStreams {
  const [command, ...rest] = [
    ...wallCommand(walls, options, serial),
    options.nodePath,
    '--no-warnings',
    '--max-old-space-size=64',
    '--v8-pool-size=1',
    '--expose-gc',
    ...words,
  ]
  // A session of its own: Ctrl-C in a terminal is for us and must not look like a crash of the decoder.
  return spawn(command!, rest, { env: {}, cwd: '/', detached: true, stdio: 'pipe' })
}

/** The strictest set that starts the decoder; where all at once fail, each wall that works alone. */
async function findWalls(options: SandboxOptions): Promise<Walls> {
  const bare: Walls = { limits: 'missing', network: 'open', user: 'same' }
  const root = process.getuid?.() === 0
  const networks: Walls['network'][] = root ? ['cut'] : ['cut-by-user-namespace']
  const users: Walls['user'][] = root ? ['own', 'dropped'] : ['dropped']
  const strictest: Walls = { limits: 'set', network: networks[0]!, user: users[0]! }
  if (await starts(strictest, options)) return strictest
  const found = { ...bare }
  for (const network of networks) {
    if (found.network === 'open' && (await starts({ ...bare, network }, options)))
      found.network = network
  }
  for (const user of users) {
    if (found.user === 'same' && (await starts({ ...bare, user }, options))) found.user = user
  }
  if (await starts({ ...found, limits: 'set' }, options)) return { ...found, limits: 'set' }
  if (await starts(found, options)) return found
  if (await starts(bare, options)) return bare
  throw new RetryableError('no decoder child can be started, with or without a sandbox')
}

/** The decoder child says that it is ready, finds its pipe closed and ends well. */
function starts(walls: Walls, options: SandboxOptions): Promise<boolean> {
  const words = [...permissionWords(), besideThisFile('./decoder-child'), 'common']
  return succeeds(spawnBehind(walls, options, process.pid * 16, words))
}

function succeeds(child: ChildProcessWithoutNullStreams): Promise<boolean> {
  child.stdin.on('error', () => {})
  child.stdin.end()
  child.stdout.resume()
  child.stderr.resume()
  const timer = setTimeout(() => child.kill('SIGKILL'), probeMsMax)
  return new Promise((resolve) => {
    child.once('error', () => resolve(false))
    child.once('exit', (code) => resolve(code === 0))
  }).finally(() => clearTimeout(timer)) as Promise<boolean>
}

function missing(walls: Walls): string[] {
  return [
    walls.limits === 'missing' &&
      'images are decoded without limits on memory and processor time: prlimit (util-linux) is missing or refused',
    walls.network === 'open' &&
      'images are decoded by a process with network access: unshare (util-linux) is missing or refused',
    walls.user === 'same' &&
      'images are decoded by a process with our privileges: setpriv (util-linux) is missing or refused',
  ].filter((message) => message !== false)
}
