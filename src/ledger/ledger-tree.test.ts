import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { callStep } from '../db/client.ts'
import { FatalError } from '../domain/errors.ts'
import { leadLedger } from '../steps/append.ts'
import { noteFacts } from '../steps/note-facts.ts'
import { silentLog, testDatabase } from '../testing/database.ts'
import type { TestDatabase } from '../testing/database.ts'
import { connect } from '../db/client.ts'
import { toHex } from './bytes.ts'
import { openFrontier } from './frontier-store.ts'
import { createDataKey, generateDataKey } from './seal.ts'
import { createSequencer } from './sequencer.ts'
import { createTileReader } from './tile-store.ts'
import { createFrontier } from './tree/frontier.ts'
import { leafHashOf } from './tree/hash.ts'
import { createProver } from './tree/prove.ts'
import { verifyConsistency, verifyInclusion } from './tree/verify-proof.ts'

const limits = {
  takedownsPerDay: 1,
  labelsPerDay: 1,
  actionsPerContent: 1,
  floodBlobs: 1_000_000,
  floodAccounts: 1_000_000,
  floodFactor: 5,
}

describe('the tree in the database', () => {
  test('grows with the chain over restarts, and its tiles prove any entry and any two sizes', async (t) => {
    const database = await testDatabase(t)
    for (const count of [1, 255, 600]) {
      await note(database, count)
      await sequence(database)
    }
    const hashes = await leaves(database)
    const memory = createFrontier()
    for (const hash of hashes) memory.push(hash)
    const head = await leadLedger(database.app, 'test/tree')
    assert.equal(head.size, 856)
    assert.equal(head.frontier, toHex(memory.bytes()))
    const prover = createProver(createTileReader(database.app), head.size)
    const root = await prover.rootAt(856)
    assert.equal(toHex(root), toHex(memory.root()))
    for (const index of [0, 1, 255, 256, 300, 511, 512, 855]) {
      const proof = await prover.inclusion(index, 856)
      const leafHash = hashes[index] as Uint8Array
      assert.ok(verifyInclusion({ index, size: 856, leafHash, root, proof }))
    }
    for (const size1 of [1, 255, 256, 257, 512, 700]) {
      const proof = await prover.consistency(size1, 856)
      const root1 = await prover.rootAt(size1)
      assert.ok(verifyConsistency({ size1, size2: 856, root1, root2: root, proof }))
    }
  })

  test('is computed anew for entries that an older process appended without it', async (t) => {
    const database = await testDatabase(t)
    await note(database, 520)
    await sequence(database)
    const before = await leadLedger(database.app, 'test/tree')
    const [nodes] = await database.app<{ n: number }[]>`select count(*)::int as n from ledger_node`
    assert.equal(nodes?.n, 2)
    // What append_v1 of an older process leaves: the size moved, the frontier did not.
    await database.owner`update ledger_head set size = size - 1`
    const [{ frontier } = { frontier: '' }] = await database.app<
      { frontier: string | null }[]
    >`select frontier from ledger_head`
    assert.equal(frontier, null)
    await database.owner`update ledger_head set size = size + 1`
    const head = await leadLedger(database.app, 'test/tree')
    assert.equal(head.frontier, undefined)
    const grown = await openFrontier(database.app, head)
    assert.equal(toHex(grown.bytes()), before.frontier)
    assert.equal((await leadLedger(database.app, 'test/tree')).frontier, before.frontier)
  })

  test('a tile has one root for ever, and nobody changes it', async (t) => {
    const database = await testDatabase(t)
    await note(database, 256)
    await sequence(database)
    const head = await leadLedger(database.app, 'test/tree')
    const other = { expectSize: head.size, epoch: head.epoch, nodes: [[0, 0, 'ab'.repeat(32)]] }
    await assert.rejects(callStep(database.app, 'put_ledger_tree_v1', other), /BW002/)
    await assert.rejects(database.owner`delete from ledger_node`, { code: 'BW003' })
    await assert.rejects(database.app`delete from ledger_node`, { code: '42501' })
  })

  test('a missing entry is found where a tile is read or the tree is computed', async (t) => {
    const database = await testDatabase(t)
    await note(database, 10)
    await sequence(database)
    const root = connect(database.superuserAddress, {
      max: 1,
      applicationName: 'test',
      log: silentLog,
    })
    await root.unsafe('alter table ledger_entry_0 disable trigger all')
    await root`delete from ledger_entry where seq = 4`
    await root`update ledger_head set frontier = null`
    await root.end({ timeout: 1 })
    const prover = createProver(createTileReader(database.app), 10)
    await assert.rejects(prover.rootAt(10), FatalError)
    const head = await leadLedger(database.app, 'test/tree')
    await assert.rejects(openFrontier(database.app, head), /entry 4 of the ledger is missing/)
  })
})

let noted = 0
async function note({ app }: TestDatabase, count: number): Promise<void> {
  const facts = Array.from({ length: count }, () => {
    noted += 1
    return { type: 'test', pub: { n: noted }, idem: `tree ${noted}`, atMs: Date.now() }
  })
  await noteFacts(app, facts)
}

async function sequence({ app }: TestDatabase): Promise<void> {
  const stop = new AbortController()
  const sequencer = createSequencer({
    db: app,
    clock: Date.now,
    dataKey: createDataKey(generateDataKey()),
    limits,
    wait: async () => stop.abort(),
  })
  await sequencer.run(await leadLedger(app, 'test/tree'), stop.signal)
}

async function leaves({ app }: TestDatabase): Promise<Uint8Array[]> {
  const rows = await app<{ bytes: Buffer }[]>`select bytes from ledger_entry order by seq`
  return rows.map(({ bytes }) => leafHashOf(bytes))
}
