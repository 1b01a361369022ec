import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import { turnsOfHash } from '../domain/pdq-turns.ts'
import { turns } from '../domain/variant.ts'
import { createNearSearch, scannedRowsMax } from './near-search.ts'
import { turnedForms } from './packed-turns.ts'
import { withBits } from './seen-in-test.ts'

const hash = fc
  .uint8Array({ minLength: 32, maxLength: 32 })
  .map((bytes) => Buffer.from(bytes).toString('hex'))

test('turns packed hashes into what turnsOfHash says, in the order of turns', () => {
  fc.assert(
    fc.property(fc.array(hash, { maxLength: 4 }), (hashes) => {
      const forms = Buffer.from(turnedForms(Buffer.from(hashes.join(''), 'hex'))).toString('hex')
      const expected = hashes.flatMap((one) => {
        const turned = new Map(turnsOfHash(one).map((form) => [form.turn, form.hash]))
        return turns.map((turn) => turned.get(turn) ?? one)
      })
      assert.equal(forms, expected.join(''))
    }),
  )
})

test('many hashes are searched as few are: every pair within the radius, once', async () => {
  const many = randomBytes((scannedRowsMax + 10) * 32)
  const queries = [0, 40_000, scannedRowsMax + 9].map((row) =>
    withBits(many.toString('hex', row * 32, row * 32 + 32), [1, 77, 200]),
  )
  const packed = Buffer.from(queries.join(''), 'hex')
  const pairs = async (rows: Uint8Array, radius: number) => {
    const found: string[] = []
    await using near = await createNearSearch(rows, radius)
    await near.search(packed, (row, query, distance) => found.push(`${row} ${query} ${distance}`))
    return found.toSorted()
  }
  const indexed = await pairs(many, 31)
  assert.deepEqual(indexed, ['0 0 3', '40000 1 3', `${scannedRowsMax + 9} 2 3`].toSorted())
  assert.deepEqual(await pairs(many, 32), indexed)
})
