import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { testDatabase } from '../testing/database.ts'
import { commandLine } from './run-in-test.ts'

const none = await mkdtemp(join(tmpdir(), 'blobwatch-none-'))
const empty = await testDatabase(undefined, { migrations: none })
await rm(none, { recursive: true })
const blobwatch = await commandLine(empty)

test('migrate --check tells what is pending with exit code 1 and changes nothing', async () => {
  const { code, out } = await blobwatch(['migrate', '--check'])
  assert.equal(code, 1)
  assert.match(out, /migrations pending:\n +0001-network\.sql/)
  assert.equal((await blobwatch(['migrate', '--check'])).code, 1)
})

test('migrate applies everything once and leaves a database that the commands can use', async () => {
  const { code, out } = await blobwatch(['migrate'])
  assert.equal(code, 0)
  assert.match(out, /applied 0001-network\.sql/)
  assert.equal((await blobwatch(['migrate'])).out, 'Nothing to do: the schema is up to date.')
  assert.equal((await blobwatch(['migrate', '--check'])).code, 0)
  assert.equal((await blobwatch(['bank', 'list'])).code, 0)
})

test('migrate refuses a schema that a newer build has broken', async () => {
  await empty.owner`insert into schema_migration (version, name, sha256, breaking) values (9000, 'future', 'x', true)`
  const { code, err } = await blobwatch(['migrate'])
  assert.equal(code, 70)
  assert.match(err, /changed by a newer Blobwatch/)
})
