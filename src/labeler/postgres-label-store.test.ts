import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { grantApplication } from '../db/rights.ts'
import { testDatabase } from '../testing/database.ts'
import { labelStoreContract } from './label-store.contract.ts'
import type { StoredLabel } from './label-store.ts'
import { createPostgresLabelStore } from './postgres-label-store.ts'

const database = await testDatabase()
await grantApplication(database.owner, 'blobwatch_app')

describe('the label stream in Postgres', { timeout: 60_000 }, () => {
  labelStoreContract(async () => {
    await database.owner`truncate label`
    await database.owner`update label_head set seq = 0`
    const store = createPostgresLabelStore({ database: database.app, pollMs: 10, onError: fail })
    return { store, put }
  })

  test('the shared poller survives a database that is away', async () => {
    const errors: unknown[] = []
    const broken = new Proxy(database.app, {
      apply: (target, self, args) =>
        errors.length < 2 ? Promise.reject(new Error('away')) : Reflect.apply(target, self, args),
    })
    const store = createPostgresLabelStore({
      database: broken,
      pollMs: 5,
      onError: (error) => errors.push(error),
    })
    const { promise, resolve } = Promise.withResolvers<void>()
    const stop = store.onChange(resolve)
    await promise
    stop()
    assert.equal(errors.length, 2)
  })
})

function fail(error: unknown): never {
  throw error
}

/** As the step that publishes labels does it: one statement under the head row's lock. */
async function put(label: Omit<StoredLabel, 'seq'>): Promise<number> {
  const rows = await database.owner<{ seq: number }[]>`
    with head as (update label_head set seq = seq + 1 returning seq),
    old as (
      delete from label where src = ${label.src} and uri = ${label.uri} and val = ${label.val}
    )
    select seq from head`
  const seq = rows[0]?.seq ?? 0
  await database.owner`
    insert into label (seq, src, uri, cid, val, neg, cts, sig, key_did)
    values (${seq}, ${label.src}, ${label.uri}, ${label.cid ?? null}, ${label.val}, ${label.neg},
      ${label.cts}, decode(${label.sigHex}, 'hex'), ${label.keyDid})`
  return seq
}
