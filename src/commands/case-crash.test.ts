// A person's decision, killed before and after its step: it is there whole or not at all, and nothing is planned twice.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { test } from 'node:test'
import type { SocketAddress } from '../db/address.ts'
import { alice, createWorld } from '../testing/world.ts'
import type { World } from '../testing/world.ts'

const main = join(import.meta.dirname, '..', 'main.ts')

async function confirm(world: World, crashPoint?: string) {
  const { appAddress, ownerAddress } = world.database
  const child = spawn(process.execPath, [main, 'case', 'confirm', '1', '--json'], {
    env: {
      BLOBWATCH_PRINCIPAL: 'tester',
      BLOBWATCH_DATABASE_URL: urlOf(appAddress),
      BLOBWATCH_DATABASE_OWNER_URL: urlOf(ownerAddress),
      ...(crashPoint !== undefined && { BLOBWATCH_CRASH_POINT: crashPoint }),
    },
    stdio: 'ignore',
  })
  const [code, signal] = (await once(child, 'exit')) as [number | null, string | null]
  return signal ?? code
}

function urlOf({ host, database, username, port }: SocketAddress): string {
  return `postgres://${username}@localhost:${port}/${database}?host=${encodeURIComponent(host)}`
}

for (const [point, again] of [
  ['withdraw:before', 0],
  ['withdraw:after', 2],
] as const) {
  test(`a confirmation killed at ${point} is there whole or not at all`, async (t) => {
    const world = await createWorld(t)
    await world.bank('BAD', { mode: 'hold' })
    await world.content('BAD', 'one')
    await world.sight([{ did: alice, bytes: 'one', rkey: 'a' }])
    await world.settle()
    assert.equal(await confirm(world, point), 'SIGKILL')
    // Said again by the person who saw nothing happen: done now, or refused because it was done.
    assert.equal(await confirm(world), again)
    await world.settle()
    const rows = await world.db<{ state: string }[]>`select state from action order by id`
    assert.deepEqual(
      rows.map((row) => row.state),
      ['done', 'done'],
    )
    const { faults, openIntents, documents } = await world.ledger()
    assert.deepEqual([faults, openIntents], [[], 0])
    assert.equal(documents.filter((entry) => entry.type === 'case.confirm').length, 1)
  })
}
