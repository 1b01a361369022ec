// The small world of the demo: one folder, a Postgres, a PLC directory, a PDS, a labeler's DID, and Blobwatch.
//
// Promises: everything listens for this machine's own use and lives in one new folder; disposing ends every process and
// removes the folder. What fails half-way is taken down again as far as it got.
import { randomBytes } from 'node:crypto'
import { chmod, mkdir, mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startEmbedded } from '../../db/embedded.ts'
import { UsageError } from '../../domain/errors.ts'
import { generateLabelKey } from '../../labeler/sign-label.ts'
import type * as Testing from '../../testing/network.ts'
import type { TestNetwork } from '../../testing/network.ts'
import { registerLabeler } from './labeler-did.ts'
import { loopbackOnly } from '../../testing/loopback-only.ts'
import { runCommand, startService } from './processes.ts'
import type { CommandResult, Environment, ServiceProcess } from './processes.ts'

export type World = AsyncDisposable & {
  dir: string
  network: TestNetwork
  labelerDid: string
  webhookSecret: string
  publicUrl: string
  privateUrl: string
  /** What Blobwatch and its commands are given. */
  env: Environment
  service: ServiceProcess
  /** A command as an operator types it. */
  command: (...args: string[]) => Promise<CommandResult>
  signal: AbortSignal
  /** Why no wait helps any more: Blobwatch is not running. */
  gone: () => string | undefined
}

export async function makeWorld(options: {
  environment: Readonly<Record<string, string | undefined>>
  live: (doing: string) => void
  signal: AbortSignal
}): Promise<World> {
  const { live, signal } = options
  await using stack = new AsyncDisposableStack()
  const dir = await makeFolder(stack)
  const dataDir = join(dir, 'data')
  const environment = pick(options.environment, ['PATH', 'HOME', 'LANG', 'TZ', 'TMPDIR'])

  live('loading the PDS')
  const { startNetwork } = await loadTesting(dir)
  live('starting Postgres, a PLC directory and a PDS')
  const network = await startBoth(startNetwork, dataDir, stack)
  signal.throwIfAborted()

  const [publicPort = 0, privatePort = 0] = await freePorts(2)
  const publicUrl = `http://127.0.0.1:${publicPort}`
  const key = await generateLabelKey()
  const labelerDid = await registerLabeler({
    plcUrl: network.plcUrl,
    keyHex: key.keyHex,
    publicUrl,
  })
  const webhookSecret = `whsec_${randomBytes(32).toString('base64')}`
  const env: Environment = {
    ...environment,
    BLOBWATCH_MODE: 'act',
    BLOBWATCH_DATA_DIR: dataDir,
    BLOBWATCH_PDS_URL: network.pdsUrl,
    BLOBWATCH_PDS_ADMIN_PASSWORD: passwordOf(network.adminAuthorization),
    BLOBWATCH_PLC_URL: network.plcUrl,
    BLOBWATCH_WEBHOOK_SECRET: webhookSecret,
    BLOBWATCH_LABELER_DID: labelerDid,
    BLOBWATCH_LABELER_KEY: key.keyHex,
    BLOBWATCH_PUBLIC_PORT: String(publicPort),
    BLOBWATCH_PRIVATE_PORT: String(privatePort),
    BLOBWATCH_DISK_FREE_MB_MIN: '0',
    BLOBWATCH_PRINCIPAL: 'demo',
    // Every command is a process of its own: compiled once, they start in half the time.
    NODE_COMPILE_CACHE: join(dir, 'compiled'),
  }

  live('Blobwatch')
  const service = stack.use(await startService(env, join(dir, 'blobwatch.log')))
  const kept = stack.move()
  return {
    dir,
    network,
    labelerDid,
    webhookSecret,
    publicUrl,
    privateUrl: `http://127.0.0.1:${privatePort}`,
    env,
    service,
    command: (...args) => runCommand(args, { env, signal }),
    signal,
    gone: () => service.ending(),
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  }
}

/** Private as far as it can be: for root the user that Postgres runs as has to pass through. */
async function makeFolder(stack: AsyncDisposableStack): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'blobwatch-demo-'))
  stack.defer(() => rm(dir, { recursive: true, force: true }))
  if (process.getuid?.() === 0) await chmod(dir, 0o711)
  await mkdir(join(dir, 'data'))
  // Where the folder cannot be reached by that user the database lies elsewhere, and this file says where.
  stack.defer(async () => {
    const elsewhere = await readFile(join(dir, 'data', 'postgres-is-in'), 'utf8').catch(() => '')
    if (elsewhere !== '') await rm(elsewhere.trim(), { recursive: true, force: true })
  })
  return dir
}

/** The PDS is a development package: an operator's install may be without it. */
async function loadTesting(dir: string): Promise<typeof Testing> {
  const scratch = join(dir, 'pds')
  await mkdir(scratch, { mode: 0o700 })
  // dev-env gives no way to say where the PDS keeps its files, and leaves them behind.
  process.env['TMPDIR'] = scratch
  try {
    import.meta.resolve('@atproto/dev-env')
    return await import('../../testing/network.ts')
  } catch (error) {
    if (!isNotInstalled(error)) throw error
    throw new UsageError(
      'the demo needs a real PDS, which is among the development packages: in a clone of the repository run "npm ci" without --omit=dev, then again',
    )
  }
}

/** Held by the demo too, so that the server is there from the first command to the last. */
async function startPostgres(dataDir: string): Promise<AsyncDisposable> {
  const silent = () => {}
  const log = { debug: silent, info: silent, warn: silent, error: silent }
  return await startEmbedded({ dataDir, log, fast: true })
}

/** Both, or neither: what did start is taken down again when the other did not. */
async function startBoth(
  startNetwork: () => Promise<TestNetwork>,
  dataDir: string,
  stack: AsyncDisposableStack,
): Promise<TestNetwork> {
  using _loopback = loopbackOnly()
  const network = startNetwork()
  const postgres = startPostgres(dataDir)
  const results = await Promise.allSettled([postgres, network])
  for (const result of results) if (result.status === 'fulfilled') stack.use(result.value)
  await postgres
  return await network
}

function isNotInstalled(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ERR_MODULE_NOT_FOUND'
}

/** Each is free now; nobody else is likely to take it in the second until it is used. */
async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'))
  await Promise.all(servers.map((server) => once(server, 'listening')))
  const ports = servers.map((server) => (server.address() as AddressInfo).port)
  await Promise.all(servers.map((server) => once(server.close(), 'close')))
  return ports
}

function passwordOf(authorization: string): string {
  const [, encoded = ''] = authorization.split(' ')
  return Buffer.from(encoded, 'base64')
    .toString('utf8')
    .replace(/^admin:/, '')
}

/** Nothing of the person's own settings reaches Blobwatch. */
function pick(
  environment: Readonly<Record<string, string | undefined>>,
  names: string[],
): Record<string, string> {
  return Object.fromEntries(
    names.flatMap((name) => {
      const value = environment[name]
      return value === undefined ? [] : [[name, value]]
    }),
  )
}
