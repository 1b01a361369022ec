// The database: what it is, what it promises, and whether it is really ours to talk to.
import { describeAddress } from '../../db/address.ts'
import { ask } from '../../db/client.ts'
import { migrationState } from '../../db/migrate.ts'
import { openSession } from '../../db/session.ts'
import { FatalError, UsageError, errorMessage } from '../../domain/errors.ts'
import { migrationsFolder, partitionLimits } from '../../service-database.ts'
import type { OpenDatabase } from '../../service-database.ts'
import { count } from '../output.ts'
import type { Check, DoctorContext, Finding } from './check.ts'
import { fail, inDatabase, note, ok, warn } from './check.ts'
import { typedAs } from '../typed-as.ts'
import { judgeClocks } from './machine-checks.ts'

export const databaseChecks: Check[] = [
  { id: 'database-reachable', group: 'database', run: reachable },
  { id: 'database-durable', group: 'database', run: inDatabase(durable) },
  { id: 'database-session', group: 'database', run: inDatabase(sessionFeatures) },
  {
    id: 'database-roles',
    group: 'database',
    run: inDatabase((database) => Promise.resolve(roles(database))),
  },
  { id: 'database-clock', group: 'database', run: inDatabase(clocksAgree) },
  { id: 'migrations', group: 'database', run: inDatabase(migrations) },
  { id: 'partitions', group: 'database', run: inDatabase(partitions) },
]

/** Any number that nobody else uses. */
const testLock = 7310402817099

async function reachable({ database, databaseProblem }: DoctorContext): Promise<Finding> {
  if (database === undefined) return databaseProblem
  const [row] = await ask(
    'read the version of Postgres',
    database.app<{ version: string; number: number }[]>`
      select current_setting('server_version') as version, current_setting('server_version_num')::integer as number`,
  )
  const where = database.isEmbedded ? database.place : describeAddress(database.appAddress)
  return (row?.number ?? 0) >= 150_000
    ? ok(`Postgres ${row?.version} answers (${where})`)
    : fail(
        `Postgres ${row?.version}; 15 or newer is needed`,
        'upgrade it, or leave DATABASE_URL unset for the embedded one',
      )
}

async function durable(database: OpenDatabase): Promise<Finding> {
  const off = await ask(
    'read the durability settings',
    database.app<{ name: string }[]>`
      select name from pg_settings
      where name in ('fsync', 'full_page_writes', 'synchronous_commit') and setting = 'off'`,
  )
  const names = off.map((row) => row.name)
  return names.length === 0
    ? ok('fsync, full_page_writes and synchronous_commit are on')
    : fail(
        `off: ${names.join(', ')}: a crash could lose what the ledger promised`,
        names.map((name) => `alter system set ${name} = on;`).join(' '),
      )
}

/** Behind a transaction pooler two connections share one backend, and a lock would be everybody's. */
async function sessionFeatures(database: OpenDatabase, { log }: DoctorContext): Promise<Finding> {
  const settings = { applicationName: 'blobwatch doctor', log }
  await using first = await openSession(database.appAddress, settings)
  await using second = await openSession(database.appAddress, settings)
  const lock = (sql: typeof first.sql) => sql<{ mine: boolean; pid: number }[]>`
    select pg_try_advisory_lock(${testLock}) as mine, pg_backend_pid() as pid`
  const [mine] = await ask('take a lock', lock(first.sql))
  const [theirs] = await ask('take the same lock', lock(second.sql))
  const isSession = mine?.mine === true && theirs?.mine === false && mine.pid === first.backendPid
  return isSession
    ? ok('sessions keep their locks')
    : fail(
        'a lock is not kept by its session: is a transaction pooler in between?',
        'set DATABASE_URL to Postgres itself, or to a pool in session mode',
      )
}

function roles(database: OpenDatabase): Finding {
  return database.rolesApart
    ? ok('the application has its own role and cannot write to the ledger tables')
    : warn(
        'one role owns the schema and runs the application',
        'set BLOBWATCH_DATABASE_OWNER_URL to the owner and DATABASE_URL to another role',
      )
}

/** Work goes by the database's clock; far from it this machine drops nothing by its age, and its requests may be refused. */
async function clocksAgree({ clock, isEmbedded }: OpenDatabase): Promise<Finding> {
  if (isEmbedded) return ok("the embedded database has this machine's clock")
  await clock.measure()
  const offMs = Math.abs(clock.aheadMs())
  const seconds = Math.round(offMs / 1000)
  return judgeClocks(offMs, `this machine's clock is ${seconds} s away from the database's`)
}

async function migrations(database: OpenDatabase): Promise<Finding> {
  try {
    const { pending, unknown, applied } = await migrationState({
      db: database.owner,
      folder: migrationsFolder,
    })
    if (pending.length > 0)
      return fail(`${count(pending.length, 'migration')} pending`, typedAs('migrate'))
    return unknown.length > 0
      ? note(
          `the schema is ahead of this build by ${unknown.length} migrations that it can live with`,
        )
      : ok(`the schema is up to date (${applied.length} migrations)`)
  } catch (error) {
    if (error instanceof FatalError || error instanceof UsageError) return fail(errorMessage(error))
    throw error
  }
}

async function partitions(database: OpenDatabase, { nowMs }: DoctorContext): Promise<Finding> {
  const days = Array.from(
    { length: partitionLimits.daysAhead + 1 },
    (_, day) =>
      `sighting_${new Date(nowMs + day * 86_400_000).toISOString().slice(0, 10).replaceAll('-', '')}`,
  )
  const missing = await ask(
    'look for partitions',
    database.app<{ name: string }[]>`
      select name from unnest(${days}::text[]) name where to_regclass(name) is null`,
  )
  if (missing.some((row) => row.name === days[0]))
    return fail('today has no partition: nothing can be taken in', typedAs('migrate'))
  return missing.length === 0
    ? ok(`partitions exist ${partitionLimits.daysAhead} days ahead`)
    : warn(`${count(missing.length, 'partition')} of the next days missing`, typedAs('migrate'))
}
