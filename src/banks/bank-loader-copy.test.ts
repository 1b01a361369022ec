import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { connect } from '../db/client.ts'
import { silentLog, testDatabase } from '../testing/database.ts'
import { copyRows, literal, parseCopy } from './bank-loader-copy.ts'

const database = await testDatabase()
// One connection: whatever an answer leaves behind stands in the way of the next one.
const db = connect(database.appAddress, { max: 1, applicationName: 'copy', log: silentLog })
const streamBytes = 65_536

test('reads answers of every size over one connection, one after the other', async (t) => {
  t.after(() => db.end({ timeout: 1 }))
  const sizes = [0, 1, 4_000, streamBytes - 40, streamBytes, 3 * streamBytes, 2_000_000]
  for (const size of [...sizes, ...sizes.toReversed()]) {
    for (let off = -24; off <= 24; off += 8) {
      const bytes = Math.max(0, size + off)
      const [row] = await copyRows(db, `select convert_to(repeat('x', ${bytes}), 'UTF8'), 7::int2`)
      assert.equal(row?.[0]?.length, bytes)
      assert.equal(row[1]?.readInt16BE(), 7)
    }
  }
  const rows = await copyRows(db, `select i, null::bytea from generate_series(1, 20000) i`)
  assert.deepEqual(
    [rows.length, rows[19_999]?.[0]?.readInt32BE(), rows[0]?.[1]],
    [20_000, 20_000, undefined],
  )
})

test('an answer that is cut off is an error, and the next one is whole', async () => {
  const own = connect(database.appAddress, { max: 1, applicationName: 'cut', log: silentLog })
  try {
    const late = `select repeat('x', 10000)::bytea, 1 / (20000 - i) from generate_series(1, 20000) i`
    await assert.rejects(copyRows(own, late), /division by zero/)
    assert.equal((await copyRows(own, 'select 1')).length, 1)
    await assert.rejects(copyRows(own, 'select pg_terminate_backend(pg_backend_pid())'))
    // The driver may notice the end of its connection by the statement after it only.
    await copyRows(own, 'select 1').catch(() => undefined)
    assert.equal((await copyRows(own, 'select 1')).length, 1)
  } finally {
    await own.end({ timeout: 1 })
  }
})

test('bytes that end early are refused, wherever they end', async () => {
  const [value, other] = [Buffer.from('a value'), Buffer.alloc(300, 7)]
  const whole = encode([
    [value, undefined],
    [other, value],
  ])
  assert.deepEqual(parseCopy(whole), [
    [value, undefined],
    [other, value],
  ])
  fc.assert(
    fc.property(fc.integer({ min: 0, max: whole.length - 1 }), (end) => {
      assert.throws(() => parseCopy(whole.subarray(0, end)), RangeError)
    }),
  )
})

test('only whole numbers become text of a statement', () => {
  assert.equal(literal(12), '12')
  for (const value of [1.5, Number.NaN, 2 ** 60]) assert.throws(() => literal(value), TypeError)
})

function encode(rows: (Buffer | undefined)[][]): Buffer {
  const int16 = (value: number) => {
    const bytes = Buffer.alloc(2)
    bytes.writeInt16BE(value)
    return bytes
  }
  const int32 = (value: number) => {
    const bytes = Buffer.alloc(4)
    bytes.writeInt32BE(value)
    return bytes
  }
  const fields = rows.map((row) => [
    int16(row.length),
    ...row.flatMap((field) => [int32(field?.length ?? -1), field ?? Buffer.alloc(0)]),
  ])
  const head = [Buffer.from('PGCOPY\n\xff\r\n\0', 'latin1'), int32(0), int32(0)]
  return Buffer.concat([...head, ...fields.flat(), int16(-1)])
}
