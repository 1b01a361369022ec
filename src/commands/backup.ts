// backup keys, rotate: what a backup of the database must not hold, kept apart and for a shorter time.
import { open, unlink } from 'node:fs/promises'
import type { Command } from 'commander'
import { callStep } from '../db/client.ts'
import { FatalError, UsageError } from '../domain/errors.ts'
import type { DataKey } from '../ledger/seal.ts'
import { collectKeys, sealBackup } from '../roles/key-backup.ts'
import { rotateKeySet } from '../roles/key-set.ts'
import { findDataKey } from './data-key.ts'
import { withExamples } from './examples.ts'
import { exitCodes } from './exit-codes.ts'
import type { Io } from './io.ts'
import { count, printJson } from './output.ts'
import { withSession } from './session.ts'
import type { CommandSession } from './session.ts'

export function addBackup(program: Command, io: Io): void {
  const command = program
    .command('backup')
    .description('the keys of accounts, which a backup of the database must not hold: keys, rotate')
  withExamples(
    command
      .command('keys')
      .description(
        'write the keys of all accounts and the list of erasures to a file that only BLOBWATCH_BACKUP_RECIPIENTS open',
      )
      .argument('<FILE>', 'a new file')
      .option('--json', 'print the result as JSON')
      .action((file: string, options: { json?: boolean }) => runKeys(io, file, options)),
    ['backup keys account-keys-2026-11-29.age'],
  )
  withExamples(
    command
      .command('rotate')
      .description(
        'seal all keys of accounts anew: every older copy of them in a database backup is worthless then',
      )
      .option('--json', 'print the result as JSON')
      .action((options: { json?: boolean }) => runRotate(io, options)),
    ['backup rotate'],
  )
}

async function runKeys(io: Io, path: string, options: { json?: boolean }): Promise<void> {
  await withSession(io, async (session) => {
    const { db, config } = session
    if (config.backupRecipients.length === 0)
      throw new UsageError(
        'BLOBWATCH_BACKUP_RECIPIENTS is not set: make an identity with age-keygen, keep it offline, and set its age1… here',
      )
    const { backup, unopened } = await collectKeys(db, await needDataKey(session), session.nowMs())
    const sealed = await sealBackup(backup, config.backupRecipients)
    const told = { keys: backup.keys.length, erasures: backup.erasures.length }
    await writeNew(path, sealed, async () => {
      const principal = await session.principal()
      await callStep(db, 'note_fact_v1', {
        type: 'account-keys.backed-up',
        actor: { kind: 'person', principal },
        pub: told,
        idem: `account-keys.backed-up:${backup.at.toISOString()}:${principal}`,
        now: backup.at,
      })
    })
    if (unopened > 0) io.setExitCode(exitCodes.notOk)
    if (options.json === true) printJson(io, { file: path, ...told, unopened })
    else {
      io.out(
        `${path}: ${count(told.keys, 'key')} and ${count(told.erasures, 'erasure')}. Delete older ones when this one is safe.`,
      )
      if (unopened > 0)
        io.out(`${count(unopened, 'key')} could not be opened here and is not in it.`)
    }
  })
}

async function runRotate(io: Io, options: { json?: boolean }): Promise<void> {
  await withSession(io, async (session) => {
    const { db, config, database, log } = session
    const rotated = await rotateKeySet({
      db,
      address: database.appAddress,
      dataDir: config.dataDir,
      dataKey: await needDataKey(session),
      principal: await session.principal(),
      nowMs: session.nowMs(),
      log,
    })
    if (rotated.unopened > 0) io.setExitCode(exitCodes.notOk)
    if (options.json === true) printJson(io, rotated)
    else {
      io.out(
        `key set ${rotated.set}: ${count(rotated.resealed, 'key')} sealed anew. Older copies of them open no more.`,
      )
      if (rotated.unopened > 0)
        io.out(`${count(rotated.unopened, 'key')} could not be opened and stays as it is.`)
    }
  })
}

export async function needDataKey({ config, db }: CommandSession): Promise<DataKey> {
  const dataKey = await findDataKey(config, db)
  if (dataKey === undefined)
    throw new UsageError(
      'this machine has no data key: set BLOBWATCH_DATA_KEY, or run this where data.key is',
    )
  return dataKey
}

/** Never over another file; only its owner may read it. Without the ledger's intake row there is no file either. */
async function writeNew(path: string, bytes: Uint8Array, note: () => Promise<void>): Promise<void> {
  const file = await open(path, 'wx', 0o600).catch((cause: unknown) => {
    throw new UsageError(`${path} cannot be made: is there such a file already?`, { cause })
  })
  try {
    await note()
    await file.writeFile(bytes)
    await file.sync()
  } catch (error) {
    await unlink(path)
    if (error instanceof Error && 'code' in error && error.code === 'ENOSPC')
      throw new FatalError(`${path}: the disk is full`, { cause: error })
    throw error
  } finally {
    await file.close()
  }
}
