// A real embedded Postgres in a folder of its own, migrated, and gone afterwards.
import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect } from '../src/db/client.ts'
import type { Database } from '../src/db/client.ts'
import { openDatabase } from '../src/service-database.ts'
import type { OpenDatabase } from '../src/service-database.ts'
import { silentLog } from '../src/testing/database.ts'

export type ScratchFolder = AsyncDisposable & { dir: string }
export type ScratchDatabase = AsyncDisposable & {
  database: OpenDatabase
  app: Database
  /** The owner with a time limit that fits a big statement. */
  owner: Database
  dataDir: string
}

const longStatementMs = 600_000

/** A folder under the system's temporary one that the Postgres user may pass through. */
export async function scratchFolder(): Promise<ScratchFolder> {
  const dir = await mkdtemp(join(tmpdir(), `blobwatch-bench-${process.pid}-`))
  await chmod(dir, 0o711)
  return {
    dir,
    [Symbol.asyncDispose]: () => rm(dir, { recursive: true, force: true, maxRetries: 5 }),
  }
}

/** `waitsForDisk` false: faster, and says nothing about a real disk. Sizes are the same. */
export async function scratchDatabase(options: {
  waitsForDisk: boolean
  connectionsMax?: number
}): Promise<ScratchDatabase> {
  await using stack = new AsyncDisposableStack()
  const folder = stack.use(await scratchFolder())
  const dataDir = join(folder.dir, 'data')
  const database = stack.use(
    await openDatabase(
      { databaseUrl: undefined, databaseOwnerUrl: undefined, dataDir },
      {
        log: silentLog,
        connectionsMax: options.connectionsMax ?? 16,
        fast: !options.waitsForDisk,
      },
    ),
  )
  const owner = connect(database.ownerAddress, {
    max: 2,
    applicationName: 'bench',
    log: silentLog,
    statementTimeoutMs: longStatementMs,
  })
  stack.defer(() => owner.end({ timeout: 2 }))
  const kept = stack.move()
  return {
    database,
    app: database.app,
    owner,
    dataDir,
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  }
}

/** The pid of the embedded server of a data folder. */
export async function postmasterPid(dataDir: string): Promise<number> {
  const text = await readFile(join(dataDir, 'cluster', 'postmaster.pid'), 'utf8')
  return Number(text.split('\n')[0])
}
