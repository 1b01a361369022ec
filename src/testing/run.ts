// `npm test`: runs the test files against one real Postgres and says at the end, plainly, what came of it.
//
//   npm test                        all of src, without bench
//   npm test -- src/db              a folder or files
//   npm run test:long               also what takes minutes (BLOBWATCH_TEST_LONG=1)
//   BLOBWATCH_TEST_SEED=7 npm test  another seed for generated cases
import { readdir, rm, stat } from 'node:fs/promises'
import { availableParallelism, tmpdir } from 'node:os'
import { join, relative, resolve } from 'node:path'
import { run } from 'node:test'
import { spec } from 'node:test/reporters'
import { fileURLToPath } from 'node:url'
import { stopEmbedded } from '../db/embedded.ts'
import { errorMessage } from '../domain/errors.ts'
import { SOCKET_VARIABLE, TEST_DIR_PREFIX, silentLog, startTestServer } from './database.ts'
import { createTally } from './tally.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const NODE_MAJOR_MIN = 24
const FILE_TIMEOUT_MS = 180_000
const LONG_FILE_TIMEOUT_MS = 1_800_000
const CONCURRENCY_MAX = 2
const SEED = '20261121'

process.exitCode = await main(process.argv.slice(2))

async function main(args: string[]): Promise<number> {
  if (Number(process.versions.node.split('.')[0]) < NODE_MAJOR_MIN) {
    console.error(
      `the tests need Node ${NODE_MAJOR_MIN}; this is ${process.version}: run "npm test"`,
    )
    return 2
  }
  const isLong = args.includes('--long')
  const files = await findTests(args.filter((arg) => !arg.startsWith('--')))
  const stop = new AbortController()
  const interrupt = () => stop.abort()
  process.on('SIGINT', interrupt).on('SIGTERM', interrupt)
  await removeLeftovers()
  await using server = await startTestServer()
  process.env[SOCKET_VARIABLE] = server.socketDir
  process.env['BLOBWATCH_TEST_SEED'] ??= SEED
  if (isLong) process.env['BLOBWATCH_TEST_LONG'] = '1'
  const isGreen = await runFiles(
    files,
    isLong ? LONG_FILE_TIMEOUT_MS : FILE_TIMEOUT_MS,
    stop.signal,
  )
  if (stop.signal.aborted) return 130
  return isGreen ? 0 : 1
}

async function findTests(paths: string[]): Promise<string[]> {
  const found: string[] = []
  for (const path of paths.length > 0 ? paths : [join(ROOT, 'src'), join(ROOT, 'kernels')]) {
    const full = resolve(path)
    if ((await stat(full)).isFile()) found.push(full)
    else
      for (const name of await readdir(full, { recursive: true }))
        if (name.endsWith('.test.ts')) found.push(join(full, name))
  }
  return found.toSorted()
}

async function runFiles(files: string[], timeout: number, signal: AbortSignal): Promise<boolean> {
  const tally = createTally(ROOT)
  const startMs = performance.now()
  const concurrency = Math.min(CONCURRENCY_MAX, availableParallelism())
  // Without files run() would look for some itself.
  if (files.length > 0) {
    const events = run({ files, concurrency, timeout, signal, cwd: ROOT })
    events.on('test:pass', tally.pass).on('test:fail', tally.fail)
    for await (const text of events.compose(new spec())) process.stdout.write(text as Buffer)
  }
  const seconds = ((performance.now() - startMs) / 1000).toFixed(1)
  const names = files.map((file) => relative(ROOT, file))
  console.log(tally.report({ seconds, files: names.length }))
  return tally.isGreen()
}

/** Servers and folders of runs that were killed: their folder names the process that is no more. */
async function removeLeftovers(): Promise<void> {
  for (const name of await readdir(tmpdir())) {
    const pid = Number(new RegExp(`^${TEST_DIR_PREFIX}(\\d+)-`).exec(name)?.[1])
    if (!(pid > 0) || isAlive(pid)) continue
    const dir = join(tmpdir(), name)
    try {
      await stopEmbedded({ dataDir: join(dir, 'data'), log: silentLog })
      await rm(dir, { recursive: true, force: true })
    } catch (error) {
      console.error(`${dir} of an earlier run could not be removed: ${errorMessage(error)}`)
    }
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    // Another user's process is alive too.
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
