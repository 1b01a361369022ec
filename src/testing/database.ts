// A fresh database for a test file, cloned from a template that was migrated once.
//
// `npm test` starts one Postgres for the whole run and names its socket in BLOBWATCH_TEST_SOCKET; a file that is
// run by hand starts its own and takes it away again. Neither waits for the disk. A killed run leaves a folder
// blobwatch-test-… and its server behind; the next `npm test` removes them.
import { createHash, randomBytes } from 'node:crypto'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after } from 'node:test'
import { fileURLToPath } from 'node:url'
import { SOCKET_PORT } from '../db/address.ts'
import type { SocketAddress } from '../db/address.ts'
import { connect } from '../db/client.ts'
import type { Database, Log } from '../db/client.ts'
import { startEmbedded } from '../db/embedded.ts'
import { migrate } from '../db/migrate.ts'
import { readMigrations } from '../db/migration-files.ts'
import { grantApplication } from '../db/rights.ts'

export type TestDatabase = {
  /** As blobwatch_owner. */
  owner: Database
  /** As blobwatch_app. */
  app: Database
  ownerAddress: SocketAddress
  appAddress: SocketAddress
  /** A superuser's, in this database: for killing connections and the like. */
  superuserAddress: SocketAddress
  name: string
}

export type TestServer = { socketDir: string; [Symbol.asyncDispose](): Promise<void> }

export const SOCKET_VARIABLE = 'BLOBWATCH_TEST_SOCKET'
export const TEST_DIR_PREFIX = 'blobwatch-test-'
const MIGRATIONS = fileURLToPath(new URL('../../migrations', import.meta.url))
const TEMPLATE_LOCK = 1_651_270_757
const CONNECTIONS_MAX = 8

export const silentLog: Log = { debug() {}, info() {}, warn() {}, error() {} }

/**
 * Call at the top of a test file, `const database = await testDatabase()`; it is dropped after the file's tests,
 * or after the test whose context is given. `migrations` is another folder of SQL files.
 */
export async function testDatabase(
  context?: { after(clean: () => Promise<void>): void },
  options: { migrations?: string } = {},
): Promise<TestDatabase> {
  await using stack = new AsyncDisposableStack()
  const server = stack.use(await joinTestServer())
  const superuser = addressIn(server.socketDir, 'postgres', 'postgres')
  const admin = connect(superuser, { max: 1, applicationName: 'test admin', log: silentLog })
  stack.defer(() => admin.end({ timeout: 1 }))
  const template = await ensureTemplate(admin, superuser, options.migrations ?? MIGRATIONS)
  const name = `test_${process.pid}_${randomBytes(4).toString('hex')}`
  await createDatabase(admin, name, template)
  stack.defer(async () => void (await admin`drop database ${admin(name)} with (force)`))
  const ownerAddress = addressIn(server.socketDir, name, 'blobwatch_owner')
  const appAddress = addressIn(server.socketDir, name, 'blobwatch_app')
  const settings = { max: CONNECTIONS_MAX, applicationName: 'test', log: silentLog }
  const owner = connect(ownerAddress, settings)
  const app = connect(appAddress, settings)
  stack.defer(
    async () => void (await Promise.all([owner, app].map((db) => db.end({ timeout: 1 })))),
  )
  const superuserAddress = { ...superuser, database: name }
  const kept = stack.move()
  const clean = async () => await kept.disposeAsync()
  if (context) context.after(clean)
  else after(clean)
  return { owner, app, ownerAddress, appAddress, superuserAddress, name }
}

/** A server of its own in a scratch folder, gone with everything in it when disposed. */
export async function startTestServer(log: Log = silentLog): Promise<TestServer> {
  const dataDir = await mkdtemp(join(tmpdir(), `${TEST_DIR_PREFIX}${process.pid}-`))
  // For root: the Postgres user must pass through; the cluster inside is closed to all others.
  await chmod(dataDir, 0o711)
  const postgres = await startEmbedded({ dataDir: join(dataDir, 'data'), log, fast: true })
  return {
    socketDir: postgres.socketDir,
    [Symbol.asyncDispose]: async () => {
      await postgres[Symbol.asyncDispose]()
      await rm(postgres.dir, { recursive: true, force: true })
      await rm(dataDir, { recursive: true, force: true })
    },
  }
}

async function joinTestServer(): Promise<TestServer> {
  const socketDir = process.env[SOCKET_VARIABLE]
  if (socketDir === undefined) return await startTestServer()
  return { socketDir, [Symbol.asyncDispose]: async () => {} }
}

function addressIn(socketDir: string, database: string, username: string): SocketAddress {
  return { host: socketDir, port: SOCKET_PORT, database, username }
}

/** The template of exactly these migrations; of several test files that ask at once, one makes it. */
async function ensureTemplate(
  admin: Database,
  superuser: SocketAddress,
  folder: string,
): Promise<string> {
  const migrations = await readMigrations(folder)
  const digest = createHash('sha256').update(migrations.map((file) => file.sha256).join())
  const name = `template_${digest.digest('hex').slice(0, 12)}`
  await admin`select pg_advisory_lock(${TEMPLATE_LOCK})`
  try {
    const [found] = await admin`select from pg_database where datname = ${name}`
    if (found) return name
    const draft = `${name}_draft`
    await admin`drop database if exists ${admin(draft)} with (force)`
    await createDatabase(admin, draft, 'template1')
    const address = { ...superuser, database: draft, username: 'blobwatch_owner' }
    await migrate({ address, folder, log: silentLog })
    if (folder === MIGRATIONS) await grantAsInService(address)
    await renameDatabase(admin, draft, name)
    return name
  } finally {
    await admin`select pg_advisory_unlock(${TEMPLATE_LOCK})`
  }
}

async function grantAsInService(address: SocketAddress): Promise<void> {
  const owner = connect(address, { max: 1, applicationName: 'test admin', log: silentLog })
  await grantApplication(owner, 'blobwatch_app')
  await owner.end({ timeout: 1 })
}

/** As `startEmbedded` makes it; rights on a database are not cloned with it. */
async function createDatabase(admin: Database, name: string, template: string): Promise<void> {
  await admin`create database ${admin(name)} template ${admin(template)} owner blobwatch_owner`
  await admin`revoke all on database ${admin(name)} from public`
  await admin`grant connect on database ${admin(name)} to blobwatch_app`
}

/** The migration's connection takes the server a moment to end. */
async function renameDatabase(admin: Database, from: string, to: string): Promise<void> {
  await admin`select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = ${from}`
  await admin`alter database ${admin(from)} rename to ${admin(to)}`
}
