import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createShares } from './shares.ts'
import { createTurns } from './turns.ts'

const { signal } = new AbortController()

test('one caller has its share, and the others theirs', async () => {
  const shares = createShares({ atOnce: 3, perCaller: 2, waitMs: 10 })
  const [first, second] = [await shares.take(1, signal), await shares.take(1, signal)]
  assert.ok(first && second)
  assert.equal(await shares.take(1, signal), undefined)
  const other = await shares.take(2, signal)
  assert.ok(other)
  assert.equal(await shares.take(3, signal), undefined, 'all are taken')
  other()
  other()
  assert.equal(await shares.take(1, signal), undefined, 'given back twice, it is free once')
  const third = shares.take(3, signal)
  first()
  assert.ok(await third)
  const again = await shares.take(1, signal)
  assert.ok(again)
})

test('who waits is served when somebody ends, in order', async () => {
  const shares = createShares({ atOnce: 1, perCaller: 1, waitMs: 60_000 })
  const first = await shares.take(1, signal)
  const order: string[] = []
  const waiting = [shares.take(2, signal), shares.take(3, signal)].map(async (taking, n) => {
    const give = await taking
    order.push(`caller ${n + 2}`)
    give?.()
  })
  first?.()
  await Promise.all(waiting)
  assert.deepEqual(order, ['caller 2', 'caller 3'])
})

test('turns say when so many wait that the next is sent away', async () => {
  const turns = createTurns({ slots: 1, waitingMax: 2 })
  const gate = Promise.withResolvers<void>()
  const begun = Array.from({ length: 3 }, () => turns(() => gate.promise))
  assert.equal(turns.isFull(), true)
  gate.resolve()
  await Promise.all(begun)
  assert.equal(turns.isFull(), false)
})
