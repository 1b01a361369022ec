import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import { pdqQualityMin } from '../domain/blob.ts'
import { signalsOf } from '../domain/stored-signals.ts'
import { turnsOfHash } from '../domain/pdq-turns.ts'
import { pdqDistance } from '../signals/pdq/distance.ts'
import type { ContentSignal, RematchRow } from '../steps/jobs.ts'
import { createNearContent } from './near-content.ts'

const digestOf = (text: string) => createHash('sha256').update(text).digest('hex')

/** Few hashes, their turns, and what lies some bits beside them: near and far come in every run. */
const hash = fc
  .record({
    seed: fc.constantFrom('a', 'b'),
    turn: fc.integer({ min: 0, max: 7 }),
    bits: fc.array(fc.integer({ min: 0, max: 255 }), { maxLength: 40 }),
  })
  .map(({ seed, turn, bits }) => {
    const turned = [digestOf(seed), ...turnsOfHash(digestOf(seed)).map((one) => one.hash)]
    const flipped = bits.reduce(
      (word, bit) => word ^ (1n << BigInt(bit)),
      BigInt(`0x${turned[turn]}`),
    )
    return flipped.toString(16).padStart(64, '0')
  })
const quality = fc.constantFrom(30, 50, 100)

const row: fc.Arbitrary<RematchRow> = fc.record({
  cid: fc.constantFrom('1', '2', '3').map(digestOf),
  md5: fc.constantFrom(null, '00'.repeat(16), '11'.repeat(16)),
  sha1: fc.constantFrom(null, '22'.repeat(20)),
  pdq: fc.option(hash),
  quality,
  variants: fc
    .option(fc.record({ hash, quality: fc.constantFrom(50, 100) }))
    .map((trim) => (trim === null ? [] : [{ variant: 'trim' as const, ...trim }])),
  others: fc.constant([]),
})

const signal: fc.Arbitrary<ContentSignal> = fc.oneof(
  fc.record({ type: fc.constant('sha256' as const), value: fc.constant(digestOf('1')) }),
  fc.record({ type: fc.constant('md5' as const), value: fc.constant('11'.repeat(16)) }),
  fc.record({ type: fc.constant('pdq' as const), value: hash }),
)

test('finds exactly the blobs that a comparison of every variant with every signal finds', () => {
  fc.assert(
    fc.property(
      fc.array(signal, { maxLength: 3 }),
      row,
      fc.integer({ min: 0, max: 31 }),
      (signals, given, pdqDistanceMax) => {
        const { sha256, md5, sha1, pdq, variants = [] } = signalsOf(given.cid, given)
        const looks = [...(pdq === undefined ? [] : [pdq]), ...variants]
        const expected = signals.some(({ type, value }) =>
          type === 'pdq'
            ? looks.some(
                (look) =>
                  look.quality >= pdqQualityMin && pdqDistance(look.hash, value) <= pdqDistanceMax,
              )
            : [sha256, md5, sha1].includes(value),
        )
        assert.equal(createNearContent(signals, { pdqDistanceMax })(given), expected)
      },
    ),
    { numRuns: 2000, seed: 20261121 },
  )
})
