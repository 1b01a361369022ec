import assert from 'node:assert/strict'
import { test } from 'node:test'
import { leadLedger } from '../steps/append.ts'
import { noteFacts } from '../steps/note-facts.ts'
import { testDatabase } from '../testing/database.ts'
import { createDataKey, generateDataKey } from './seal.ts'
import { createSequencer } from './sequencer.ts'

test('a clock that is set back by hours stops neither entries nor what is released without any', async (t) => {
  const { app: db } = await testDatabase(t)
  const time = { nowMs: Date.now() }
  const stop = new AbortController()
  const appended: number[] = []
  let waits = 0
  const sequencer = createSequencer({
    db,
    clock: () => time.nowMs,
    dataKey: createDataKey(generateDataKey()),
    limits: {
      ...{ takedownsPerDay: 1, labelsPerDay: 1, actionsPerContent: 1 },
      ...{ floodBlobs: 1_000_000, floodAccounts: 1_000_000, floodFactor: 5 },
    },
    onAppended: ({ entries }) => appended.push(entries),
    wait: async () => {
      waits += 1
      if (waits === 3) time.nowMs -= 7_200_000
      if (waits === 6)
        await noteFacts(db, [{ type: 'test', idem: 'later', pub: {}, atMs: time.nowMs }])
      if (waits > 9) stop.abort()
    },
  })
  await sequencer.run(await leadLedger(db, 'test/clock'), stop.signal)
  // At the start, when the clock went back, and with the fact.
  assert.deepEqual(appended, [0, 0, 1])
})
