// The package as somebody installs it: packed, installed without development packages in an empty folder, and run.
import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join, sep } from 'node:path'
import type { TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'

export const root = fileURLToPath(new URL('../..', import.meta.url))

const stepMsMax = 120_000
const outputBytesMax = 8 * 1024 * 1024
const unreachable = /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ETIMEDOUT|ECONNRESET|ENETUNREACH/

export type Ran = { code: number; out: string; err: string }
export type Installed = { folder: string; files: string[]; tarballBytes: number; command: string }

/** undefined when npm reaches no registry at all: then there is nothing to install from. */
export async function installPackage(t: TestContext): Promise<Installed | undefined> {
  const folder = await mkdtemp(join(tmpdir(), 'blobwatch-package-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  const packed = await run('npm', ['pack', '--json', '--silent', '--pack-destination', folder], {
    cwd: root,
  })
  if (packed.code !== 0) throw new Error(`npm pack: ${packed.err}`)
  const [pack] = JSON.parse(packed.out.slice(packed.out.indexOf('[\n'))) as [
    { filename: string; size: number; files: { path: string }[] },
  ]
  await writeFile(join(folder, 'package.json'), '{"private":true,"type":"module"}')
  const words = ['--omit=dev', '--prefer-offline', '--no-audit', '--no-fund', '--loglevel=error']
  const tarball = join(folder, pack.filename)
  const installed = await run('npm', ['install', ...words, tarball], { cwd: folder })
  if (installed.code !== 0) {
    if (unreachable.test(installed.err)) return undefined
    throw new Error(`npm install: ${installed.err}`)
  }
  return {
    folder,
    files: pack.files.map(({ path }) => path),
    tarballBytes: pack.size,
    command: join(folder, 'node_modules/.bin/blobwatch'),
  }
}

/** With the host's own environment: nothing of `npm test` or of the tests. */
export function run(
  file: string,
  words: string[],
  options: { cwd: string; env?: Record<string, string> },
): Promise<Ran> {
  return new Promise((resolve, reject) => {
    const given = { timeout: stepMsMax, maxBuffer: outputBytesMax }
    execFile(
      file,
      words,
      { ...given, cwd: options.cwd, env: { ...hostEnvironment(), ...options.env } },
      (error, out, err) => {
        if (error !== null && typeof error.code !== 'number') reject(error)
        else resolve({ code: Number(error?.code ?? 0), out, err })
      },
    )
  })
}

/** As a shell outside of the project has it: `node` is the host's, whichever that is. */
export function hostEnvironment(): Record<string, string> {
  const { PATH = '', HOME = '' } = process.env
  const folders = PATH.split(delimiter).filter((one) => !one.includes(`${sep}node_modules${sep}`))
  return { PATH: folders.join(delimiter), HOME }
}
