// Opens the database that the configuration names, brought up to this build's schema.
import { mkdir } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import type { Config } from './config.ts'
import { parseAddress } from './db/address.ts'
import type { DatabaseAddress } from './db/address.ts'
import { openDatabaseClock } from './db/clock.ts'
import type { DatabaseClock } from './db/clock.ts'
import { ask, connect } from './db/client.ts'
import type { Database, Log } from './db/client.ts'
import { startEmbedded } from './db/embedded.ts'
import { migrate } from './db/migrate.ts'
import { ensurePartitions, ensureSeqPartitions } from './db/partitions.ts'
import { grantApplication } from './db/rights.ts'

export const migrationsFolder = fileURLToPath(new URL('../migrations', import.meta.url))
export const partitionLimits = { daysAhead: 3, ledgerWidth: 10_000_000 } as const

export type OpenDatabase = AsyncDisposable & {
  app: Database
  /** Owns the schema: migrations and partitions. The same role as `app` where only one was given. */
  owner: Database
  appAddress: DatabaseAddress
  ownerAddress: DatabaseAddress
  /** The one clock of whoever works here. Measured, unless it was opened without migrating. */
  clock: DatabaseClock
  /** For people: where the data is. */
  place: string
  isEmbedded: boolean
  /** false: application and owner are one role, which could change the ledger's tables. */
  rolesApart: boolean
  /** Aborts when an embedded server is gone for good. */
  lost: AbortSignal | undefined
}

export async function openDatabase(
  config: Pick<Config, 'databaseUrl' | 'databaseOwnerUrl' | 'dataDir'>,
  options: {
    log: Log
    connectionsMax: number
    fast?: boolean
    migrate?: boolean
    upkeep?: boolean
  },
): Promise<OpenDatabase> {
  await using stack = new AsyncDisposableStack()
  const { log } = options
  const settings = { applicationName: 'blobwatch', log }
  const where = await locate(config, options, stack)
  const owner = connect(where.ownerAddress, {
    ...settings,
    max: 2,
    applicationName: 'blobwatch owner',
  })
  stack.defer(() => owner.end({ timeout: 2 }))
  const app = connect(where.appAddress, { ...settings, max: options.connectionsMax })
  stack.defer(() => app.end({ timeout: 2 }))
  // By the owner: `migrate` works before the application may do anything.
  const clock = openDatabaseClock(owner)
  if (options.migrate !== false) {
    const applied = await migrate({
      address: where.ownerAddress,
      folder: migrationsFolder,
      log,
    })
    await clock.measure()
    // A command finds all of this done by the service or by the command before it.
    if (applied.length > 0 || options.upkeep === true) {
      if (where.appRole !== undefined) await grantApplication(owner, where.appRole)
      await ensureRoom(owner, clock.now())
    }
  }
  const kept = stack.move()
  return {
    app,
    owner,
    appAddress: where.appAddress,
    clock,
    ownerAddress: where.ownerAddress,
    place: where.place,
    isEmbedded: where.lost !== undefined,
    rolesApart: where.appRole !== undefined,
    lost: where.lost,
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  }
}

/** The partitions of the next days and of the next entries. Every hour; takes no lock when there is nothing to do. */
export async function ensureRoom(owner: Database, nowMs: number): Promise<void> {
  await ensurePartitions({
    db: owner,
    table: 'sighting',
    every: 'day',
    ahead: partitionLimits.daysAhead,
    nowMs,
  })
  const [head] = await owner<
    { size: number }[]
  >`select coalesce(max(size), 0)::bigint as size from ledger_head`
  await ensureSeqPartitions({
    db: owner,
    table: 'ledger_entry',
    width: partitionLimits.ledgerWidth,
    ahead: 1,
    nextSeq: head?.size ?? 0,
  })
  await ask('guard the ledger partitions', owner`select guard_ledger_partitions()`)
}

async function locate(
  config: Pick<Config, 'databaseUrl' | 'databaseOwnerUrl' | 'dataDir'>,
  options: { log: Log; fast?: boolean },
  stack: AsyncDisposableStack,
) {
  if (config.databaseUrl === undefined) {
    await mkdir(config.dataDir, { recursive: true })
    const embedded = stack.use(
      await startEmbedded({
        dataDir: config.dataDir,
        log: options.log,
        fast: options.fast ?? false,
      }),
    )
    return {
      appAddress: embedded.app,
      ownerAddress: embedded.owner,
      appRole: embedded.app.username,
      place: `embedded Postgres ${embedded.version} in ${embedded.dir}`,
      lost: embedded.lost,
    }
  }
  const appAddress = parseAddress(config.databaseUrl)
  const ownerAddress = parseAddress(config.databaseOwnerUrl ?? config.databaseUrl)
  return {
    appAddress,
    ownerAddress,
    appRole: config.databaseOwnerUrl === undefined ? undefined : roleOf(appAddress),
    place: 'the Postgres of DATABASE_URL',
    lost: undefined,
  }
}

function roleOf(address: DatabaseAddress): string {
  return 'url' in address ? decodeURIComponent(new URL(address.url).username) : address.username
}
