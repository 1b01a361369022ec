// The loops of a started service, where its clock is another one than the database's.
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseConfig } from './config.ts'
import { describeAddress } from './db/address.ts'
import { build } from './service.ts'
import { ensureRoom } from './service-database.ts'
import { beginRequest } from './steps/requests.ts'
import { principalId } from './steps/withdraw.ts'
import { createLog } from './telemetry/log.ts'
import { testDatabase } from './testing/database.ts'

const dayMs = 86_400_000

test('a machine that woke up in another year ends nothing by its age, and says so', async (t) => {
  const dir = await mkdtemp(join(tmpdir(), 'blobwatch-roles-'))
  t.after(() => rm(dir, { recursive: true, force: true }))
  const database = await testDatabase(t)
  await ensureRoom(database.owner, Date.now())
  const now = { nowMs: Date.now() - 2 * dayMs }
  const principal = await principalId(database.app, { kind: 'service', name: 'pds', ...now })
  await beginRequest(database.app, { principal, key: 'of-two-days-ago', request: 'ab', ...now })
  const requests = async () => (await database.owner`select from api_request`).length

  const runUntil = async (clock: () => number, isOver: (lines: string[]) => Promise<boolean>) => {
    const env = {
      BLOBWATCH_DATA_DIR: dir,
      BLOBWATCH_DATABASE_URL: describeAddress(database.appAddress),
      BLOBWATCH_DATABASE_OWNER_URL: describeAddress(database.ownerAddress),
      BLOBWATCH_PUBLIC_PORT: '0',
      BLOBWATCH_PRIVATE_PORT: '0',
      BLOBWATCH_DISK_FREE_MB_MIN: '0',
      BLOBWATCH_DECODER_SLOTS: '1',
    }
    const config = parseConfig(env, (path) => assert.fail(`nothing is read from ${path}`))
    const lines: string[] = []
    const destination = { write: (line: string) => void lines.push(line) }
    const log = createLog({ level: 'error', destination })
    await using service = await build(config, { log, clock })
    await service.start()
    while (!(await isOver(lines))) await sleep(20)
  }
  await runUntil(
    () => Date.now() + 365 * dayMs,
    async (lines) => lines.some((line) => line.includes('nothing ends by its age')),
  )
  assert.equal(await requests(), 1)
  await runUntil(Date.now, async () => (await requests()) === 0)
})
