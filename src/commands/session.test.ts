import assert from 'node:assert/strict'
import { test } from 'node:test'
import { testDatabase } from '../testing/database.ts'
import { commandLine } from './run-in-test.ts'

const database = await testDatabase()
const blobwatch = await commandLine(database)

test('what a command writes has the time of the database, whatever this machine’s clock says', async (t) => {
  t.mock.timers.enable({ apis: ['Date'], now: Date.now() + 7 * 86_400_000 })
  const { code, err } = await blobwatch(['bank', 'create', 'SPAM'])
  t.mock.timers.reset()
  assert.equal(code, 0, err)
  const rows = await database.owner<{ what: string; days: number }[]>`
    select what, floor(abs(extract(epoch from clock_timestamp() - at)) / 86400)::integer as days
    from (select 'bank' as what, created_at as at from bank where name = 'SPAM'
      union all select 'person', created_at from principal where name = 'tester') written`
  assert.deepEqual(
    rows.map(({ what, days }) => `${what} ${days}`),
    ['bank 0', 'person 0'],
  )
})
