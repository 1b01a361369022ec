import assert from 'node:assert/strict'
import { test } from 'node:test'
import { testDatabase } from '../testing/database.ts'

test('label numbers follow each other, and jump on another history of the database', async (t) => {
  const { owner } = await testDatabase(t)
  const next = async () => {
    const [row] = await owner<
      { seq: number }[]
    >`select next_label_seq('2026-11-29T00:00:00Z') as seq`
    return row?.seq
  }
  assert.deepEqual([await next(), await next()], [1, 2])
  // What a promoted standby or a restored cluster finds: numbers given out on a timeline that is not its own.
  await owner`update label_head set timeline = '00000001:7'`
  const jumped = Date.parse('2026-11-29T00:00:00Z')
  assert.deepEqual([await next(), await next()], [jumped, jumped + 1])
  await owner`update label_head set timeline = '00000001:7'`
  // A clock that stands still gives no number twice.
  assert.equal(await next(), jumped + 2)
})

test('nothing is claimed while no leader has vetted this history of the database', async (t) => {
  const { owner } = await testDatabase(t)
  const vetted = async () =>
    (await owner<{ is: boolean }[]>`select ledger_is_vetted() as is`)[0]?.is
  assert.equal(await vetted(), false)
  await owner`insert into ledger_head (log, size, hash, epoch, vetted_at, vetted_on)
    values ('x', 0, '', 1, clock_timestamp(), ledger_timeline())`
  assert.equal(await vetted(), true)
  await owner`update ledger_head set vetted_on = '00000002:7'`
  assert.equal(await vetted(), false)
  await owner`update ledger_head set vetted_on = ledger_timeline(), vetted_at = clock_timestamp() - interval '16 seconds'`
  assert.equal(await vetted(), false)
})
