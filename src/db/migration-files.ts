// Reads the numbered SQL files of a folder and refuses what could not be applied as one transaction.
import { createHash } from 'node:crypto'
import { readFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { FatalError } from '../domain/errors.ts'

export type Migration = {
  version: number
  /** Kebab-case, without number and ending. */
  name: string
  file: string
  sql: string
  sha256: string
  /** Its first line is `-- breaking`: an older build must not run on it. */
  breaking: boolean
}

const FILE_NAME = /^(\d{4})-([a-z0-9]+(?:-[a-z0-9]+)*)\.sql$/
/** Ends our transaction, or cannot run in one. A plpgsql block's `begin` has no semicolon. */
const NOT_IN_ONE_TRANSACTION =
  /^\s*(?:begin|commit|rollback|start transaction)\b[^;\n]*;|\bconcurrently\b|^\s*vacuum\b/im

/** In the order of their numbers. */
export async function readMigrations(folder: string): Promise<Migration[]> {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.sql')).toSorted()
  const migrations: Migration[] = []
  for (const file of names) {
    const migration = parseMigration(file, await readFile(join(folder, file), 'utf8'))
    if (migrations.at(-1)?.version === migration.version)
      throw new FatalError(`two migrations have the number ${migration.version}: ${file}`)
    migrations.push(migration)
  }
  return migrations
}

export function parseMigration(file: string, sql: string): Migration {
  const [, version, name] = FILE_NAME.exec(file) ?? []
  if (version === undefined || name === undefined)
    throw new FatalError(`a migration's file name must look like 0001-name.sql: ${file}`)
  const withoutComments = sql.replaceAll(/--.*$/gm, '')
  const found = NOT_IN_ONE_TRANSACTION.exec(withoutComments)
  if (found)
    throw new FatalError(
      `${file} is applied in one transaction and must not say "${found[0].trim()}"`,
    )
  return {
    version: Number(version),
    name,
    file,
    sql,
    sha256: createHash('sha256').update(sql).digest('hex'),
    breaking: /^-- breaking\b/.test(sql),
  }
}
