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
  /** Of the listener for HMA's clients; '' where there is none. */
  hmaUrl: string
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
  // The service ends before its database and its folder.
  const stack = new AsyncDisposableStack()
  t.after(() => stack.disposeAsync())
  const dir = await mkdtemp(join(tmpdir(), 'blobwatch-api-'))
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
  const log = createLog({ level: 'warn', destination })
  const service = stack.use(await build(config, { log }))
  const { publicUrl, privateUrl: url, hmaUrl = '' } = await service.start()
  const nowMs = Date.now()
  const person = await principalId(database.app, { kind: 'person', name: 'tester', nowMs })
  return {
    ...{ database, service, url, publicUrl, hmaUrl, lines, person },
    key: (scopes, limits) => keyInTest(database, scopes, limits),
    ask(path, { key, ...init }) {
      const headers = new Headers(init.headers)
      headers.set('authorization', `Bearer ${key}`)
      return fetch(`${url}${path}`, { ...init, headers })
    },
  }
}

/** Of a service named `client`, unless `limits` says otherwise. */
export async function keyInTest(
  database: TestDatabase,
  scopes: KeyScope[],
  { isPerson = false, name = isPerson ? 'tester' : 'client', ...limits }: KeyLimits = {},
): Promise<string> {
  const { app } = database
  const nowMs = Date.now()
  const principal = await principalId(app, { kind: 'person', name: 'tester', nowMs })
  const { id, key, secretSha256 } = makeKey(randomBytes(idBytes + secretBytes))
  const owner = await (isPerson ? personNamed : serviceNamed)(app, name, nowMs)
  const made = { id, secretSha256, scopes, owner, ...limits }
  await changeKey(app, { op: 'create', ...made, principal, nowMs })
  return key
}
