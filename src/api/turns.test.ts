import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RetryableError } from '../domain/errors.ts'
import { createTurns } from './turns.ts'

test('lets so many work, so many wait in order, and sends the next away for now', async () => {
  const turns = createTurns({ slots: 1, waitingMax: 2 })
  const gate = Promise.withResolvers<void>()
  const order: number[] = []
  const work = (n: number) =>
    turns(async () => {
      await gate.promise
      order.push(n)
    })
  const begun = [work(1), work(2), work(3)]
  await assert.rejects(work(4), RetryableError)
  gate.resolve()
  await Promise.all(begun)
  assert.deepEqual(order, [1, 2, 3])
  await assert.rejects(
    turns(() => Promise.reject(new Error('broken'))),
    /broken/,
  )
  await turns(() => Promise.resolve())
})
