import assert from 'node:assert/strict'
import { test } from 'node:test'
import { UsageError } from '../domain/errors.ts'
import { testDatabase } from '../testing/database.ts'
import { explainLimits, recordExplained } from './explain.ts'
import { principalId } from './withdraw.ts'

const nowMs = Date.parse('2026-11-21T12:00:00.000Z')
const { questionsPerHour } = explainLimits

test('sixty questions an hour are answered to each who asks, however many ask at once', async (t) => {
  const { app } = await testDatabase(t)
  const erin = await principalId(app, { kind: 'person', name: 'erin', nowMs })
  const frank = await principalId(app, { kind: 'person', name: 'frank', nowMs })
  const asked = await Promise.allSettled(
    Array.from({ length: questionsPerHour + 8 }, (_, n) =>
      recordExplained(app, { principal: erin, contents: [n + 1], nowMs: nowMs + n }),
    ),
  )
  const refused = asked.flatMap((one) => (one.status === 'rejected' ? [one.reason as Error] : []))
  assert.equal(asked.length - refused.length, questionsPerHour)
  for (const error of refused) {
    assert.ok(error instanceof UsageError, error.stack)
    assert.match(error.message, /limited to 60 an hour; the next may be asked at 13:00:00Z/)
  }
  await recordExplained(app, { principal: frank, contents: [1], nowMs })
  await recordExplained(app, { principal: erin, contents: [1], nowMs: nowMs + 3_600_001 })
})

test('each is an entry with the numbers of the contents and nothing else; none of an open bank is', async (t) => {
  const { app, owner } = await testDatabase(t)
  const principal = await principalId(app, { kind: 'person', name: 'erin', nowMs })
  await recordExplained(app, { principal, contents: [], nowMs })
  await recordExplained(app, { principal, contents: [7, 3, 7], nowMs })
  const rows =
    await owner`select type, actor, pub, private from ledger_intake where type = 'explained'`
  assert.deepEqual(
    [...rows],
    [
      {
        type: 'explained',
        actor: { kind: 'person', principal },
        pub: { contents: [3, 7] },
        private: {},
      },
    ],
  )
})
