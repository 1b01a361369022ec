// A run of a reversal: one at a time, stopped and gone on with, and as its preview said.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { listReversals, reversalCounts, reversalHead } from '../cases/reversal.ts'
import { alice, bob, carol, didOf } from '../testing/world.ts'
import { previewReversal, runReversal } from './reverse.ts'
import { minute, reverse, start, goOn, actions, acted } from './reverse-in-test.ts'

test('asked for in the same words while it is open it is one run, also by two people at once', async (t) => {
  const { world, content } = await acted(t, [alice, bob, carol])
  const first = await start(world, { content })
  const second = await start(world, { content })
  assert.deepEqual([second.resumed, second.reversal], [true, first.reversal])
  const runs = await Promise.all([
    goOn(world, first.reversal, { batch: 1 }),
    goOn(world, first.reversal, { batch: 1 }),
  ])
  const reversing = runs.reduce((sum, run) => sum + run.outcomes.reversing, 0)
  assert.deepEqual([reversing, runs.every((run) => run.ended)], [6, true])
  await world.settle()
  assert.deepEqual(world.pds.takenDown(), [])
  assert.equal((await actions(world)).length, 12)
  const { documents } = await world.ledger()
  assert.equal(documents.filter(({ type }) => type === 'reversal.ended').length, 1)
  assert.equal((await start(world, { content })).resumed, false)
})

test('stopped in between it says that it is open, and goes on from there', async (t) => {
  const { world, content } = await acted(t, [alice, bob])
  const { reversal } = await start(world, { content })
  const stop = new AbortController()
  const { db, principal, clock } = world
  const input = { reversal, disables: false, principal, clock, batch: 1, signal: stop.signal }
  const run = await runReversal(db, { ...input, onBatch: () => stop.abort() })
  assert.deepEqual([run.ended, run.outcomes.reversing], [false, 1])
  assert.equal((await reversalHead(db, reversal)).endedAt, null)
  assert.equal((await goOn(world, reversal)).outcomes.reversing, 3)
  const [listed] = await listReversals(db, { limit: 10, offset: 0 })
  assert.deepEqual([listed?.actions, listed?.endedAt === null], [4, false])
})

test('the preview says what the run then does, for pages and batches of any size', async (t) => {
  const dids = Array.from({ length: 12 }, (_, n) => didOf(n))
  const { world, content } = await acted(t, dids)
  await world.bank('WORSE')
  await world.content('WORSE', 'two')
  world.advance(minute)
  await world.sight(dids.slice(0, 5).map((did) => ({ did, bytes: 'two', rkey: 'a' })))
  await world.settle()
  const { db } = world
  const scope = { content, as: {} }
  const counts = async (page: number) => {
    const { kinds, keptBy } = await previewReversal(db, { scope, nowMs: world.clock(), page })
    return { kinds, keptBy }
  }
  assert.deepEqual(await counts(1), await counts(500))
  const { reversal, preview } = await reverse(world, { content }, { batch: 7 })
  const records = preview.kinds['takedown-record']
  assert.deepEqual([records?.reverse, records?.['other-cause']], [7, 5])
  const told = await reversalCounts(db, reversal)
  assert.deepEqual(
    told.map((row) => [row.kind, row.state, row.actions]),
    [
      ['takedown-blob', 'under-way', 12],
      ['takedown-record', 'other-cause', 5],
      ['takedown-record', 'under-way', 7],
    ],
  )
})
