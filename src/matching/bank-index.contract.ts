// What every bank index does, whatever it is made of: the examples say what, the linear matcher is the measure.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Signals, SignalType } from '../domain/blob.ts'
import { signalTypes } from '../domain/blob.ts'
import type { Clock } from '../domain/ports.ts'
import type { BankIndex, IndexChange } from '../domain/signal-batch.ts'
import { createLinearMatcher } from './linear-matcher.ts'
import { bankIds, batchesOf, changeOf, nowSeconds, queryOf, rowsOf } from './bank-index-cases.ts'
import type { Row } from './bank-index-cases.ts'

const clock: Clock = () => nowSeconds * 1000
const base = '0f'.repeat(32)
/** `base` with the first `bits` bits of byte 0 turned over. */
const off = (bits: number) =>
  (0x0f ^ ((1 << bits) - 1)).toString(16).padStart(2, '0') + base.slice(2)
const sha256 = 'ab'.repeat(32)
const open = new Map([
  [1, { pdq: 31, clip: 62 }],
  [2, { pdq: 2, clip: 0 }],
])

/** `make` gives one that is not loaded; it is disposed of here. */
export function bankIndexContract(
  make: (clock: Clock) => Promise<BankIndex & AsyncDisposable>,
  { runs }: { runs: number },
): void {
  const withRows = async (rows: Row[], disabled = new Map<number, number>()) => {
    const index = await make(clock)
    await index.load(batchesOf(rows), { generation: 7, disabled, distanceMax: open })
    return index
  }
  const row = (signalId: number, type: SignalType, value: string, bankId = 1): Row => ({
    signalId,
    contentId: signalId + 100,
    bankId,
    type,
    value,
  })
  const idsOf = async (index: BankIndex, signals: Signals, pdq?: number) =>
    (await index.match(signals, pdq === undefined ? {} : { distanceMax: { pdq } })).matches.map(
      ({ signalId, distance, variant }) => [signalId, distance, variant],
    )

  test('answers with its generation, and with nothing when nothing was loaded', async () => {
    await using index = await withRows([])
    assert.deepEqual(await index.match({ sha256 }), { matches: [], generation: 7 })
    assert.equal(index.generation(), 7)
  })

  test('keeps to the distance of the bank, and to a smaller one that was asked for', async () => {
    await using index = await withRows([row(1, 'pdq', off(3)), row(2, 'pdq', off(3), 2)])
    const signals: Signals = { sha256, pdq: { hash: base, quality: 50 } }
    assert.deepEqual(await idsOf(index, signals), [[1, 3, 'original']])
    assert.deepEqual(await idsOf(index, signals, 3), [[1, 3, 'original']])
    assert.deepEqual(await idsOf(index, signals, 2), [])
    assert.deepEqual(await idsOf(index, { sha256, pdq: { hash: off(1), quality: 50 } }, 60), [
      [1, 2, 'original'],
      [2, 2, 'original'],
    ])
  })

  test('compares no picture of a quality under 50', async () => {
    await using index = await withRows([row(1, 'pdq', base)])
    const blank = { hash: base, quality: 49 }
    assert.deepEqual(await idsOf(index, { sha256, pdq: blank }), [])
    const variants = [{ variant: 'flip' as const, ...blank }]
    assert.deepEqual(await idsOf(index, { sha256, variants }), [])
  })

  test('a signal found in several ways is one match by the nearest, the plainest of equals', async () => {
    await using index = await withRows([row(1, 'pdq', off(2)), row(2, 'pdq', off(8))])
    const variants = [
      { variant: 'trim+rot90' as const, hash: off(2), quality: 90 },
      { variant: 'trim' as const, hash: off(7), quality: 90 },
      { variant: 'rot90' as const, hash: off(2), quality: 90 },
    ]
    assert.deepEqual(await idsOf(index, { sha256, pdq: { hash: base, quality: 90 }, variants }), [
      [1, 0, 'rot90'],
      [2, 1, 'trim'],
    ])
  })

  test('a disabled content matches nothing until its second has come', async () => {
    const until = [0, 1, nowSeconds - 1, nowSeconds, nowSeconds + 1]
    await using index = await withRows(
      until.map((_, n) => row(n, 'sha256', sha256)),
      new Map(until.map((second, n) => [n + 100, second])),
    )
    assert.deepEqual(
      (await idsOf(index, { sha256 })).map(([signalId]) => signalId),
      [1, 2, 3],
    )
  })

  test('what is added, removed or set is in force when apply returns', async () => {
    await using index = await withRows([row(1, 'sha256', sha256)])
    const change: IndexChange = {
      generation: 8,
      added: [...rowsOf([row(2, 'sha256', sha256), row(3, 'pdq', base)])],
      removedSignalIds: Uint32Array.of(1, 77),
      disabled: new Map(),
      distanceMax: new Map([[1, { pdq: 0, clip: 0 }]]),
    }
    index.apply(change)
    const found = await idsOf(index, { sha256, pdq: { hash: base, quality: 99 } })
    assert.deepEqual(found, [
      [2, 0, 'original'],
      [3, 0, 'original'],
    ])
    index.apply({ ...change, generation: 9, added: [], distanceMax: new Map() })
    assert.deepEqual(await idsOf(index, { sha256, pdq: { hash: base, quality: 99 } }), [
      [2, 0, 'original'],
    ])
    assert.equal(index.status().signals.sha256, 1)
  })

  test('answers exactly as the linear matcher whatever is added, removed, disabled or asked', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(changeOf, { minLength: 1, maxLength: 6 }),
        fc.array(queryOf, { minLength: 1, maxLength: 4 }),
        (drafts, queries) => agreesWithLinear(make, drafts, queries),
      ),
      { numRuns: runs, seed: Number(process.env['BLOBWATCH_TEST_SEED'] ?? 20261121) },
    )
  })
}

type Draft = typeof changeOf extends fc.Arbitrary<infer One> ? One : never
type Query = typeof queryOf extends fc.Arbitrary<infer One> ? One : never

/** The first draft is loaded, the others are applied; asked after each. Each query twice, at the same time. */
async function agreesWithLinear(
  make: (clock: Clock) => Promise<BankIndex & AsyncDisposable>,
  drafts: Draft[],
  queries: Query[],
): Promise<void> {
  await using index = await make(clock)
  await using linear = createLinearMatcher({ clock })
  let signalId = 0
  for (const [n, draft] of drafts.entries()) {
    const rows = draft.rows.map((row) => ({ ...row, signalId: ++signalId }))
    const change: IndexChange = {
      generation: n + 1,
      added: [...rowsOf(rows)],
      removedSignalIds: Uint32Array.from(draft.removed, (share) => Math.ceil(share * signalId)),
      disabled: new Map(draft.disabled),
      distanceMax: new Map(draft.distances.map((max, n) => [bankIds[n]!, max])),
    }
    if (n === 0) {
      await index.load(batchesOf(rows), change)
      await linear.load(batchesOf(rows), change)
    } else {
      index.apply(change)
      linear.apply(change)
    }
    const asked = [...queries, ...queries]
    const answers = await Promise.all(asked.map((one) => index.match(one.signals, one.options)))
    for (const [i, { signals, options }] of asked.entries())
      assert.deepEqual(answers[i], await linear.match(signals, options))
    const many = asked.map(({ signals }) => signals)
    const { options } = asked[0]!
    assert.deepEqual(await index.matchMany(many, options), await linear.matchMany(many, options))
    for (const type of signalTypes)
      assert.equal(index.status().signals[type], linear.status().signals[type], type)
  }
}
