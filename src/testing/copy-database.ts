// A copy of a test's database as it is now: what a backup of the whole server would give back.
import { randomBytes } from 'node:crypto'
import { connect } from '../db/client.ts'
import { silentLog } from './database.ts'
import type { TestDatabase } from './database.ts'

export async function copyDatabase(
  context: { after(clean: () => Promise<void>): void },
  database: TestDatabase,
): Promise<TestDatabase> {
  const name = `${database.name}_${randomBytes(3).toString('hex')}`
  const admin = connect(
    { ...database.superuserAddress, database: 'postgres' },
    { max: 1, applicationName: 'test admin', log: silentLog },
  )
  // A template must have no other session; the test's clients connect again by themselves.
  await admin`select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = ${database.name}`
  await admin`create database ${admin(name)} template ${admin(database.name)} owner blobwatch_owner`
  await admin`grant connect on database ${admin(name)} to blobwatch_app`
  const settings = { max: 4, applicationName: 'test', log: silentLog }
  const ownerAddress = { ...database.ownerAddress, database: name }
  const appAddress = { ...database.appAddress, database: name }
  const [owner, app] = [connect(ownerAddress, settings), connect(appAddress, settings)]
  context.after(async () => {
    await Promise.all([owner, app].map((db) => db.end({ timeout: 1 })))
    await admin`drop database ${admin(name)} with (force)`
    await admin.end({ timeout: 1 })
  })
  const superuserAddress = { ...database.superuserAddress, database: name }
  return { owner, app, ownerAddress, appAddress, superuserAddress, name }
}
