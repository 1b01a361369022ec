import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import type { OtherType } from '../domain/blob.ts'
import type { OtherRule, OtherTypes } from '../domain/other-type.ts'
import type { AnyBatch, IndexState } from '../domain/signal-batch.ts'
import { createBankIndex } from './bank-index.ts'
import { createLinearMatcher } from './linear-matcher.ts'

const rule = (type: string, digits: number, radius: number): OtherRule => ({
  type: type as OtherType,
  version: '2',
  media: ['image'],
  digits,
  radius,
})
/** Near the middle, so that many are found. */
const rules = [
  rule('short', 2, 2),
  rule('average', 16, 30),
  rule('widest', 128, 252),
  rule('same', 8, 0),
]
const others: OtherTypes = new Map(rules.map((one) => [one.type, one]))
const clock = () => 0

function batchOf({ type, digits }: OtherRule, firstId: number, count: number): AnyBatch {
  const ids = Uint32Array.from({ length: count }, (_, i) => firstId + i)
  const values = new Uint8Array(randomBytes((digits / 2) * count))
  return { type, count, values, signalIds: ids, contentIds: ids, bankIds: ids.map(() => 1) }
}

function hexAt(batch: AnyBatch, row: number): string {
  const width = batch.values.length / batch.count
  return Buffer.from(batch.values.subarray(row * width, (row + 1) * width)).toString('hex')
}

async function* eachOf<One>(some: readonly One[]) {
  yield* some
}

const state = (generation: number): IndexState => ({
  generation,
  disabled: new Map([[7, 0]]),
  distanceMax: new Map([[1, { pdq: 31, clip: 62 }]]),
})

test('values of plug-ins are found as a linear look finds them: loaded, added, removed, each within its own radius', async () => {
  await using index = createBankIndex({ clock, others, layout: { kind: 'memory' } })
  await using linear = createLinearMatcher({ clock, others })
  const loaded = rules.map((one, n) => batchOf(one, 1 + n * 300, 200))
  const added = rules.map((one, n) => batchOf(one, 201 + n * 300, 50))
  const unknown = batchOf(rule('unknown', 16, 64), 5_000, 10)
  const removedSignalIds = Uint32Array.from({ length: 60 }, (_, n) => 1 + n * 20)
  const gone = removedSignalIds.filter((id) => (id - 1) % 300 < 250).length
  for (const one of [index, linear]) {
    await one.load(eachOf([...loaded, unknown]), state(1))
    one.apply({ ...state(2), added: [...added, unknown], removedSignalIds })
    const { signals, others: counts } = one.status()
    assert.equal(
      Object.values(counts).reduce((sum, count) => sum + count, 0),
      1000 - gone,
    )
    assert.equal(
      Object.values(signals).reduce((sum, count) => sum + count, 0),
      0,
    )
  }
  let found = 0
  for (const [n, { type, digits }] of rules.entries()) {
    const asked = [
      hexAt(loaded[n]!, 11),
      hexAt(added[n]!, 3),
      randomBytes(digits / 2).toString('hex'),
    ]
    for (const value of asked) {
      const signals = { sha256: '', others: [{ type, version: '2', value }] }
      const { matches, generation } = await index.match(signals)
      assert.deepEqual({ matches, generation }, await linear.match(signals))
      found += matches.length
    }
    const ofAnother = { type, version: '1', value: hexAt(loaded[n]!, 11) }
    assert.deepEqual((await index.match({ sha256: '', others: [ofAnother] })).matches, [])
    const ofNone = { type, version: '2' }
    assert.deepEqual((await index.match({ sha256: '', others: [ofNone] })).matches, [])
  }
  assert.ok(found > 100, `${found} found`)
})
