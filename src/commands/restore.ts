// restore keys, check: the second half of a restore, after the database is back and before the service starts.
import { readFile, stat } from 'node:fs/promises'
import type { Command } from 'commander'
import { ask } from '../db/client.ts'
import { openSession } from '../db/session.ts'
import { UsageError } from '../domain/errors.ts'
import { openBackup } from '../roles/key-backup.ts'
import type { KeyBackup } from '../roles/key-backup.ts'
import { restoreKeys, restoreState } from '../roles/key-restore.ts'
import type { Restored } from '../roles/key-restore.ts'
import { lockKeys } from '../service-locks.ts'
import { needDataKey } from './backup.ts'
import { withExamples } from './examples.ts'
import { exitCodes } from './exit-codes.ts'
import type { Io } from './io.ts'
import { count, printFacts, printJson } from './output.ts'
import { withSession } from './session.ts'
import type { CommandSession } from './session.ts'

type RestoreOptions = { identity: string; json?: boolean }

const fileBytesMax = 1024 * 1024 * 1024
const accountsToldMax = 20

export function addRestore(program: Command, io: Io): void {
  const command = program
    .command('restore')
    .description('after a restored backup of the database: keys, check')
  withExamples(
    addFile(
      command
        .command('keys')
        .description(
          'put the newest keys of accounts back and do every erasure again that the restored database does not know',
        ),
    ).action((file: string, options: RestoreOptions) => runKeys(io, file, options)),
    ['restore keys account-keys-2026-11-29.age --identity offline-identity.txt'],
  )
  withExamples(
    addFile(
      command
        .command('check')
        .description('whether erasures or keys are missing; exit code 1 when they are'),
    ).action((file: string, options: RestoreOptions) => runCheck(io, file, options)),
    ['restore check account-keys-2026-11-29.age --identity offline-identity.txt'],
  )
}

function addFile(command: Command): Command {
  return command
    .argument('<FILE>', 'the newest file that backup keys wrote')
    .requiredOption('--identity <FILE>', 'an age identity that opens it (AGE-SECRET-KEY-1…)')
    .option('--json', 'print the result as JSON')
}

async function runKeys(io: Io, file: string, options: RestoreOptions): Promise<void> {
  const backup = await readBackup(io, file, options)
  await withSession(io, async (session) => {
    await using _ = await holdService(session)
    const restored = await restoreKeys(
      {
        db: session.db,
        dataDir: session.config.dataDir,
        dataKey: await needDataKey(session),
        principal: await session.principal(),
        nowMs: session.nowMs(),
      },
      backup,
    )
    if (options.json === true) printJson(io, { of: backup.at, ...restored })
    else tell(io, backup, restored)
  })
}

async function runCheck(io: Io, file: string, options: RestoreOptions): Promise<void> {
  const backup = await readBackup(io, file, options)
  await withSession(io, async ({ db, config }) => {
    const state = await restoreState(db, config.dataDir, backup)
    const missing = state.missingErasures.length + state.missingKeys
    if (missing > 0) io.setExitCode(exitCodes.notOk)
    if (options.json === true) {
      printJson(io, { of: backup.at, ok: missing === 0, ...state })
      return
    }
    if (missing === 0) {
      io.out('Every erasure and every key of that file is in this database.')
      return
    }
    const { missingErasures, missingKeys } = state
    if (missingErasures.length > 0)
      io.out(
        `${count(missingErasures.length, 'erased account')} back in the database: ${numbers(missingErasures)}.`,
      )
    if (missingKeys > 0) io.out(`${count(missingKeys, 'key')} missing.`)
    io.out('Run restore keys with this file before the service starts.')
  })
}

function tell(io: Io, backup: KeyBackup, { put, dropped, erasures, waiting }: Restored): void {
  io.out(`Keys and erasures of ${backup.at.toISOString()}:`)
  printFacts(io, [
    ['  keys put back', put],
    ['  keys dropped that nothing opens', dropped],
    ['  erasures done again', erasures.erased],
    ['  erasures known already', erasures.known],
    ['  erasures of accounts that are not in this database', erasures.unknown],
    ['  numbers that are another account by now, left alone', erasures.other],
    ['  erasures that wait', erasures.waiting],
  ])
  for (const { account, waitsFor } of waiting.slice(0, accountsToldMax))
    io.out(
      waitsFor.includes('legal-hold')
        ? `Account ${account} waits: a legal hold stands in this database. Lift it if it was lifted before.`
        : `Account ${account} waits for: ${waitsFor.join(', ')}. A running service tries again every minute.`,
    )
  if (waiting.length > accountsToldMax) io.out(`And ${waiting.length - accountsToldMax} more.`)
}

function numbers(accounts: number[]): string {
  const more = accounts.length > accountsToldMax ? ', …' : ''
  return `${accounts.slice(0, accountsToldMax).join(', ')}${more}`
}

async function readBackup(io: Io, path: string, options: RestoreOptions): Promise<KeyBackup> {
  let identities: string
  try {
    identities = io.readFile(options.identity)
  } catch (cause) {
    throw new UsageError('the file of --identity cannot be read', { cause })
  }
  const sealed = await readLimited(path)
  return openBackup(sealed, identities)
}

async function readLimited(path: string): Promise<Uint8Array> {
  try {
    const { size } = await stat(path)
    if (size > fileBytesMax) throw new UsageError(`${path} is too large for a key set`)
    return await readFile(path)
  } catch (cause) {
    if (cause instanceof UsageError) throw cause
    throw new UsageError(`${path} cannot be read`, { cause })
  }
}

/** While this runs no service may append: it would give erased accounts entries. */
async function holdService({ database, log }: CommandSession): Promise<AsyncDisposable> {
  const session = await openSession(database.appAddress, {
    applicationName: 'blobwatch restore',
    log,
  })
  try {
    const [row] = await ask(
      'see that no service runs',
      session.sql<{ got: boolean }[]>`select pg_try_advisory_lock(${lockKeys.ledger}) as got`,
    )
    if (row?.got !== true)
      throw new UsageError('a service runs on this database: stop it, then run this again')
    return session
  } catch (error) {
    await session[Symbol.asyncDispose]()
    throw error
  }
}
