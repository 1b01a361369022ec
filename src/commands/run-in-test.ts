// Runs the command line inside a test: no process, a fake Io, the test's database.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readFileSync } from 'node:fs'
import { after } from 'node:test'
import { errorMessage } from '../domain/errors.ts'
import type { SocketAddress } from '../db/address.ts'
import type { TestDatabase } from '../testing/database.ts'
import { exitCodeOf } from './exit-codes.ts'
import type { Io } from './io.ts'
import { createProgram } from './program.ts'

export type Ran = { code: number; out: string; err: string; json: () => unknown }
export type RunCommand = (
  words: string[],
  options?: { env?: Record<string, string>; stop?: AbortSignal; onOut?: (text: string) => void },
) => Promise<Ran>

/** Call at the top of a test file. Without a database the settings name none that exists. */
export async function commandLine(
  database?: TestDatabase,
): Promise<RunCommand & { dir: string; env: Record<string, string> }> {
  const dir = await mkdtemp(join(tmpdir(), 'blobwatch-command-'))
  after(() => rm(dir, { recursive: true, force: true }))
  const settings: Record<string, string> = {
    BLOBWATCH_DATA_DIR: dir,
    BLOBWATCH_PRINCIPAL: 'tester',
    BLOBWATCH_DISK_FREE_MB_MIN: '0',
    ...(database && {
      BLOBWATCH_DATABASE_URL: urlOf(database.appAddress),
      BLOBWATCH_DATABASE_OWNER_URL: urlOf(database.ownerAddress),
    }),
  }
  const run: RunCommand = async (words, options = {}) => {
    const out: string[] = []
    const err: string[] = []
    let code = 0
    const io: Io = {
      env: { ...settings, ...options.env },
      readFile: (path) => readFileSync(path, 'utf8'),
      out: (text) => {
        out.push(text)
        options.onOut?.(text)
      },
      err: (text) => void err.push(text),
      isTerminal: false,
      columns: 100,
      stop: options.stop ?? new AbortController().signal,
      setExitCode: (given) => {
        code = given
      },
      exit: () => undefined,
    }
    try {
      await createProgram(io).parseAsync(['node', 'blobwatch', ...words])
    } catch (error) {
      code = exitCodeOf(error)
      err.push(errorMessage(error))
    }
    const text = out.join('\n')
    return { code, out: text, err: err.join('\n'), json: () => JSON.parse(text) as unknown }
  }
  return Object.assign(run, { dir, env: settings })
}

function urlOf({ host, database, username, port }: SocketAddress): string {
  return `postgres:///${database}?host=${encodeURIComponent(host)}&port=${port}&user=${username}`
}
