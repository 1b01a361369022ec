// What most commands need: the settings, the database, and who is asking.
import { userInfo } from 'node:os'
import { parseConfig } from '../config.ts'
import type { Config } from '../config.ts'
import type { Database } from '../db/client.ts'
import type { OtherTypes } from '../domain/other-type.ts'
import { otherTypesOf } from '../plugins/plugin-hasher.ts'
import { readManifests } from '../plugins/read-manifests.ts'
import { openDatabase } from '../service-database.ts'
import type { OpenDatabase } from '../service-database.ts'
import { principalId } from '../steps/withdraw.ts'
import { createLog } from '../telemetry/log.ts'
import type { Log } from '../telemetry/log.ts'
import { armFromSetting } from './crash-setting.ts'
import type { Io } from './io.ts'

export type CommandSession = {
  config: Config
  /** The types of plug-ins; their manifests are read when this is asked. */
  others: () => OtherTypes
  database: OpenDatabase
  db: Database
  /** The id behind decisions and changes; registered at first use. */
  principal: () => Promise<number>
  /** By the database's clock, as in the service. */
  nowMs: () => number
  log: Log
}

/** Opens what the settings name, runs the work, closes again. Log lines go to stderr, warnings and worse only. */
export async function withSession<T>(
  io: Io,
  work: (session: CommandSession) => Promise<T>,
  options: { migrate?: boolean } = {},
): Promise<T> {
  const config = parseConfig(io.env, io.readFile)
  armFromSetting(config.crashPoint)
  const log = createLog({
    level: 'warn',
    destination: { write: (line: string) => io.err(line.trimEnd()) },
  })
  await using database = await openDatabase(config, { log, connectionsMax: 4, ...options })
  const db = database.app
  const nowMs = database.clock.now
  return await work({
    config,
    others: () => otherTypesOf(readManifests(config.plugins, io.readFile)),
    database,
    db,
    principal: () =>
      principalId(db, {
        kind: 'person',
        name: config.principal ?? userInfo().username,
        nowMs: nowMs(),
      }),
    nowMs,
    log,
  })
}
