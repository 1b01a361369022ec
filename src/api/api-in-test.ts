// A started service with its listeners on a real Postgres, and keys for it: what a contract test of an API talks to.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import {
  changeKey,
  idBytes,
  makeKey,
  personNamed,
  secretBytes,
  serviceNamed,
} from '../cases/api-keys.ts'
import type { KeyScope } from '../cases/api-keys.ts'
import { parseConfig } from '../config.ts'
import { describeAddress } from '../db/address.ts'
import { build } from '../service.ts'
import type { Service } from '../service.ts'
import { ensureRoom } from '../service-database.ts'
import { principalId } from '../steps/withdraw.ts'
import { createLog } from '../telemetry/log.ts'
import { testDatabase } from '../testing/database.ts'
import type { TestDatabase } from '../testing/database.ts'

export type ApiInTest = {
  database: TestDatabase
  service: Service
  /** Of the private listener, without a slash at the end. */
  url: string
  publicUrl: string
  /** What the service logged, warnings and worse. */
  lines: string[]
  /** A person who may decide and change banks. */
  person: number
  key(scopes: KeyScope[], limits?: KeyLimits): Promise<string>
  /** With a key: `fetch` for a path of the private listener. */
  ask(path: string, options: RequestInit & { key: string }): Promise<Response>
}

type KeyLimits = {
  networks?: string[]
  requestsPerSecond?: number
  expiresAtMs?: number
  name?: string
  /** Of a person, whose word it is. */
  isPerson?: boolean
}

export async function apiInTest(
  t: Pick<TestContext, 'after'>,
  settings: Record<string, string> = {},
  /** What is there before the service starts, whose loops would otherwise take part. */
  seed: (database: TestDatabase) => Promise<void> = async () => undefined,
): Promise<ApiInTest> {
  const dir = await mkdtemp(join(tmpdir(), 'blobwatch-api-'))
  // Taken down in reverse: the service before its database.
  const stack = new AsyncDisposableStack()
  t.after(() => stack.disposeAsync())
  stack.defer(() => rm(dir, { recursive: true, force: true }))
  const database = await testDatabase({ after: (clean) => stack.defer(clean) })
  await ensureRoom(database.owner, Date.now())
  await seed(database)
  const env = {
    BLOBWATCH_DATA_DIR: dir,
    BLOBWATCH_DATABASE_URL: describeAddress(database.appAddress),
    BLOBWATCH_DATABASE_OWNER_URL: describeAddress(database.ownerAddress),
    BLOBWATCH_PUBLIC_PORT: '0',
    BLOBWATCH_PRIVATE_PORT: '0',
    BLOBWATCH_DISK_FREE_MB_MIN: '0',
    BLOBWATCH_DECODER_SLOTS: '1',
    ...settings,
  }
  const config = parseConfig(env, (path) => assert.fail(`nothing is read from ${path}`))
  const lines: string[] = []
  const destination = { write: (line: string) => void lines.push(line) }
  const service = stack.use(await build(config, { log: createLog({ level: 'warn', destination }) }))
  const { publicUrl, privateUrl: url } = await service.start()
  const nowMs = Date.now()
  const person = await principalId(database.app, { kind: 'person', name: 'tester', nowMs })
  return {
    ...{ database, service, url, publicUrl, lines, person },
    async key(scopes, { isPerson = false, name = isPerson ? 'tester' : 'client', ...limits } = {}) {
      const { id, key, secretSha256 } = makeKey(randomBytes(idBytes + secretBytes))
      const ownerNamed = isPerson ? personNamed : serviceNamed
      const owner = await ownerNamed(database.app, name, nowMs)
      const made = { id, secretSha256, scopes, owner, ...limits }
      await changeKey(database.app, { op: 'create', ...made, principal: person, nowMs })
      return key
    },
    ask(path, { key, ...init }) {
      const headers = new Headers(init.headers)
      headers.set('authorization', `Bearer ${key}`)
      return fetch(`${url}${path}`, { ...init, headers })
    },
  }
}
