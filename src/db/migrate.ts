// Brings the schema up to this build: numbered files `0001-name.sql`, each applied once, whole or not at all.
//
// Promises: processes that start together apply each file once; a file that was changed after it was applied,
// and a database whose schema is ahead in a breaking way, are refused with a sentence that says what to do.
// Assumes the owner's role. A crash in a file leaves that file unapplied: its script is one transaction.
import { setTimeout as sleep } from 'node:timers/promises'
import { FatalError, RetryableError, UsageError } from '../domain/errors.ts'
import type { DatabaseAddress } from './address.ts'
import { SCHEMA, answerLimitMs, ask } from './client.ts'
import type { Database, Log } from './client.ts'
import { sqlState } from './failure.ts'
import { readMigrations } from './migration-files.ts'
import type { Migration } from './migration-files.ts'
import { openSession } from './session.ts'

export type AppliedMigration = {
  version: number
  name: string
  sha256: string
  appliedAt: Date
  breaking: boolean
}

export type MigrationState = {
  applied: AppliedMigration[]
  /** In this build's folder and not in the database. */
  pending: Migration[]
  /** In the database and not in this build's folder: the database is ahead. */
  unknown: AppliedMigration[]
}

const MIGRATION_LOCK = 1_651_270_756
const POSTGRES_VERSION_MIN = 150_000
/** A file may rewrite a big table. */
const STATEMENT_TIMEOUT_MS = 600_000
/** DDL that waits for a lock makes everyone behind it wait; better to give way and come again. */
const DDL_LOCK_TIMEOUT_MS = 5_000
const LOCKED_TRIES = 5
const LOCKED_PAUSE_MS = 2_000
/** Raised by the guard when another process has applied the file meanwhile. */
const ALREADY_APPLIED = 'BWM01'

/** Applies what is pending and returns what it applied. Throws UsageError or FatalError with advice. */
export async function migrate(options: {
  address: DatabaseAddress
  folder: string
  log: Log
}): Promise<Migration[]> {
  const { log } = options
  await using session = await openSession(options.address, {
    applicationName: 'blobwatch migrate',
    log,
    statementTimeoutMs: STATEMENT_TIMEOUT_MS,
  })
  const { pending, unknown } = await migrationState({ db: session.sql, folder: options.folder })
  for (const { version, name } of unknown)
    log.warn(`the database has migration ${version} (${name}), which this build does not know`)
  const done: Migration[] = []
  for (const migration of pending) {
    if (!(await apply(session.sql, migration))) continue
    log.info(`migration ${migration.file} applied`)
    done.push(migration)
  }
  return done
}

/** What is applied, pending and unknown. Throws when this build must not use this database. */
export async function migrationState(options: {
  db: Database
  folder: string
}): Promise<MigrationState> {
  const files = await readMigrations(options.folder)
  await assertVersion(options.db)
  const applied = await readApplied(options.db)
  const known = new Set(files.map((file) => file.version))
  const unknown = applied.filter((row) => !known.has(row.version))
  const pending = files.filter((file) => !applied.some((row) => row.version === file.version))
  assertSameFiles(files, applied)
  assertUsable({ pending, unknown, applied })
  return { applied, pending, unknown }
}

async function assertVersion(db: Database): Promise<void> {
  const [row] = await ask(
    'read the version of Postgres',
    db<{ number: number; name: string }[]>`
      select current_setting('server_version_num')::int as number,
        current_setting('server_version') as name`,
  )
  if ((row?.number ?? 0) >= POSTGRES_VERSION_MIN) return
  throw new UsageError(
    `this database is Postgres ${row?.name}; Blobwatch needs Postgres 15 or newer: upgrade it, ` +
      'or leave DATABASE_URL unset to use the embedded one',
  )
}

async function readApplied(db: Database): Promise<AppliedMigration[]> {
  const table = await ask(
    'look for the migrations table',
    db<{ found: boolean }[]>`select to_regclass('schema_migration') is not null as found`,
  )
  if (!table[0]?.found) return []
  return [
    ...(await ask(
      'read the applied migrations',
      db<AppliedMigration[]>`
        select version, name, sha256, applied_at as "appliedAt", breaking
        from schema_migration order by version`,
    )),
  ]
}

function assertSameFiles(files: Migration[], applied: AppliedMigration[]): void {
  for (const row of applied) {
    const file = files.find((file) => file.version === row.version)
    if (file === undefined || file.sha256 === row.sha256) continue
    throw new FatalError(
      `migration ${file.file} is not the one that was applied as "${row.name}" on ${row.appliedAt.toISOString()}: ` +
        'restore the file as it was released and put the change into a new migration',
    )
  }
}

function assertUsable({ pending, unknown, applied }: MigrationState): void {
  const breaking = unknown.find((row) => row.breaking)
  if (breaking)
    throw new FatalError(
      `the database was changed by a newer Blobwatch (migration ${breaking.version} "${breaking.name}") ` +
        'in a way that this one cannot work with: start the newer one, or restore a backup from before it',
    )
  const newest = applied.at(-1)?.version ?? 0
  const late = pending.find((file) => file.version < newest)
  if (late)
    throw new FatalError(
      `migration ${late.file} comes before number ${newest}, which the database already has: ` +
        'this build and the one that made the database do not share a history; use the other build',
    )
}

/** False when another process was faster. */
async function apply(sql: Database, migration: Migration): Promise<boolean> {
  const what = `apply migration ${migration.file}`
  for (let tries = 1; ; tries++) {
    try {
      await ask(what, sql.unsafe(script(migration)).simple(), answerLimitMs(sql))
      return true
    } catch (error) {
      const state = sqlState(error)
      if (state === ALREADY_APPLIED) return await standAside(sql, migration)
      if (state !== '55P03' || tries === LOCKED_TRIES) throw error
      await sleep(LOCKED_PAUSE_MS)
    }
  }
}

async function standAside(sql: Database, migration: Migration): Promise<false> {
  const applied = await readApplied(sql)
  if (!applied.some((row) => row.version === migration.version))
    throw new RetryableError(`migration ${migration.file} was being applied by another process`)
  assertSameFiles([migration], applied)
  return false
}

/**
 * One string of the simple protocol, which Postgres runs as one transaction without begin and commit: after an
 * error nothing of it stays and the connection is clean.
 * https://www.postgresql.org/docs/18/protocol-flow.html#PROTOCOL-FLOW-MULTI-STATEMENT
 */
function script({ version, name, sha256, breaking, sql }: Migration): string {
  return `
set local lock_timeout = 0;
select pg_advisory_xact_lock(${MIGRATION_LOCK});
set local lock_timeout = ${DDL_LOCK_TIMEOUT_MS};
do $guard_of_migrate$ begin
  -- Not "if not exists": that asks for the right to create even when there is nothing to do.
  if to_regnamespace('${SCHEMA}') is null then
    create schema ${SCHEMA};
    if to_regrole('blobwatch_app') is not null then
      grant usage on schema ${SCHEMA} to blobwatch_app;
    end if;
  end if;
end $guard_of_migrate$;
create table if not exists schema_migration (
  version int primary key,
  name text not null,
  sha256 text not null,
  applied_at timestamptz not null default now(),
  breaking boolean not null
);
do $guard_of_migrate$ begin
  if exists (select from schema_migration where version = ${version}) then
    raise exception 'already applied' using errcode = '${ALREADY_APPLIED}';
  end if;
end $guard_of_migrate$;
${sql}
;
insert into schema_migration (version, name, sha256, breaking)
values (${version}, '${name}', '${sha256}', ${breaking});`
}
