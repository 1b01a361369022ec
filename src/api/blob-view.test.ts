import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { StateRow } from '../cases/blob-states.ts'
import { createBlobView } from './blob-view.ts'

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
