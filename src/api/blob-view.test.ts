import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { StateRow } from '../cases/blob-states.ts'
import { RetryableError } from '../domain/errors.ts'
import { blobViewLimits, createBlobView } from './blob-view.ts'

test('an answer is kept for a moment, and not for the hours by which the clock is set back', async () => {
  const time = { nowMs: 10_000_000, reads: 0 }
  const read = async (): Promise<StateRow[]> => {
    time.reads += 1
    return [{ state: time.reads === 1 ? 'show' : 'hide', reason: 'held', since: null }]
  }
  const view = createBlobView({ clock: () => time.nowMs, read })
  const ask = async () => (await view.one({ did: 'did:plc:a', digest: 'ab' })).state
  assert.deepEqual([await ask(), await ask(), time.reads], ['show', 'show', 1])
  time.nowMs -= 7_200_000
  assert.equal(await ask(), 'hide')
})

test('nobody waits long for a database that says nothing, and who asks again at once is told the same', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const time = { nowMs: 10_000_000, reads: 0, isStuck: true }
  const read = async (): Promise<StateRow[]> => {
    time.reads += 1
    if (time.isStuck) return new Promise<never>(() => {})
    return [{ state: 'show', reason: 'clear', since: null }]
  }
  const view = createBlobView({ clock: () => time.nowMs, read })
  const pair = { did: 'did:plc:a', digest: 'ab' } as const
  const asked = assert.rejects(view.one(pair), RetryableError)
  await new Promise((resolve) => setImmediate(resolve))
  t.mock.timers.tick(blobViewLimits.answerMs)
  await asked
  await assert.rejects(view.one(pair), RetryableError)
  assert.equal(time.reads, 1)
  time.isStuck = false
  time.nowMs += blobViewLimits.failedMs
  assert.equal((await view.one(pair)).state, 'show')
})
