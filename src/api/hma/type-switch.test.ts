import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Database } from '../../db/client.ts'
import { createTypeSwitch, switchReadMs } from './type-switch.ts'

test('what is switched off stays off while the database says nothing, and a lookup waits two seconds for it', async (t) => {
  const state = { nowMs: 1_000_000, isStuck: false }
  const rows = [{ name: 'pdq', ratio: 0 }]
  const db = () => (state.isStuck ? new Promise<never>(() => {}) : Promise.resolve(rows))
  const types = createTypeSwitch({ db: db as unknown as Database, clock: () => state.nowMs })
  assert.deepEqual([...(await types.off())], ['pdq'])
  t.mock.timers.enable({ apis: ['setTimeout'] })
  state.isStuck = true
  state.nowMs += 5_000
  const off = types.off()
  t.mock.timers.tick(switchReadMs)
  assert.deepEqual([...(await off)], ['pdq'])
})
