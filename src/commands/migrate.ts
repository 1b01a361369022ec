// migrate: brings the schema up to this build. `serve` does the same at its start.
import type { Command } from 'commander'
import type { DatabaseAddress } from '../db/address.ts'
import { migrate, migrationState } from '../db/migrate.ts'
import { grantApplication } from '../db/rights.ts'
import { ensureRoom, migrationsFolder } from '../service-database.ts'
import type { Io } from './io.ts'
import { withExamples } from './examples.ts'
import { exitCodes } from './exit-codes.ts'
import { count, printJson } from './output.ts'
import { withSession } from './session.ts'

type MigrateOptions = { check?: boolean; json?: boolean }

export function addMigrate(program: Command, io: Io): void {
  withExamples(
    program
      .command('migrate')
      .description('bring the database schema up to this build')
      .option('--check', 'change nothing; exit code 1 when something is pending')
      .option('--json', 'print the result as JSON')
      .action((options: MigrateOptions) => run(io, options)),
    ['migrate', 'migrate --check'],
  )
}

async function run(io: Io, options: MigrateOptions): Promise<void> {
  await withSession(
    io,
    async ({ database, log, nowMs }) => {
      const { pending, unknown, applied } = await migrationState({
        db: database.owner,
        folder: migrationsFolder,
      })
      const ahead = unknown.map((row) => row.name)
      if (options.check === true) {
        const files = pending.map((migration) => migration.file)
        if (files.length > 0) io.setExitCode(exitCodes.notOk)
        if (options.json === true) printJson(io, { applied: applied.length, pending: files, ahead })
        else if (files.length === 0)
          io.out(`The schema is up to date: ${count(applied.length, 'migration')}.`)
        else
          io.out(
            [
              `${count(files.length, 'migration')} pending:`,
              ...files.map((file) => `  ${file}`),
            ].join('\n'),
          )
        return
      }
      const done = await migrate({ address: database.ownerAddress, folder: migrationsFolder, log })
      if (database.rolesApart) await grantApplication(database.owner, roleOf(database.appAddress))
      await database.clock.measure()
      await ensureRoom(database.owner, nowMs())
      const files = done.map((migration) => migration.file)
      if (options.json === true) printJson(io, { applied: files, ahead })
      else if (files.length === 0) io.out('Nothing to do: the schema is up to date.')
      else
        io.out(
          [
            ...files.map((file) => `applied ${file}`),
            `${count(files.length, 'migration')} applied.`,
          ].join('\n'),
        )
    },
    { migrate: false },
  )
}

function roleOf(address: DatabaseAddress): string {
  return 'url' in address ? decodeURIComponent(new URL(address.url).username) : address.username
}
