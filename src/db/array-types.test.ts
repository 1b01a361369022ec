import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { testDatabase } from '../testing/database.ts'
import { arrayLiteral, parseArray } from './array-types.ts'

const { app: db } = await testDatabase()
const seed = Number(process.env['BLOBWATCH_TEST_SEED'] ?? 20261121)

test('reads back any array that it writes', () => {
  const items = fc.array(fc.oneof(fc.string({ unit: 'binary' }), fc.constant(null)))
  fc.assert(
    fc.property(items, (list) => {
      assert.deepEqual(parseArray(arrayLiteral(list)), list)
    }),
    { seed, numRuns: 2000 },
  )
})

test('agrees with Postgres on quotes, commas, braces, nulls, blanks and nothing', async () => {
  const list = ['a', '', 'a,b', '{}', '"', '\\', ' x ', 'null', 'NULL', 'ä😀', 'line\nbreak']
  const [row] = await db<{ back: string[]; n: number; empty: string[]; numbers: number[] }[]>`
    select ${list}::text[] as back, cardinality(${list}::text[]) as n, array[]::text[] as empty,
      ${[3, 1]}::integer[] as numbers`
  assert.deepEqual(row, { back: list, n: list.length, empty: [], numbers: [3, 1] })
  const [nulls] = await db`select array[null, 'null', 'x'] as back`
  assert.deepEqual(nulls?.['back'], [null, 'null', 'x'])
})
