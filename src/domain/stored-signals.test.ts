import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import { turnsOfHash } from './pdq-turns.ts'
import type { OtherType } from './blob.ts'
import { isLowQuality, othersToStore, signalsOf } from './stored-signals.ts'
import { storedViews, variantsToStore } from './stored-signals.ts'
import type { StoredOther, StoredSignals } from './stored-signals.ts'
import { turns, variants } from './variant.ts'

const hash = fc.string({ minLength: 1 }).map((text) => digestOf(text))
const quality = fc.integer({ min: 0, max: 100 })
const stored: fc.Arbitrary<StoredSignals> = fc.record({
  pdq: fc.option(hash),
  quality,
  md5: fc.option(fc.constant('ab'.repeat(16))),
  sha1: fc.option(fc.constant('cd'.repeat(20))),
  variants: fc
    .subarray([...storedViews])
    .chain((views) =>
      fc.tuple(
        ...views.map((variant) =>
          fc
            .tuple(hash, fc.integer({ min: 50, max: 100 }))
            .map(([hash, quality]) => ({ variant, hash, quality })),
        ),
      ),
    ),
  others: fc
    .subarray(['average', 'other_hash'])
    .chain((names) => fc.tuple(...names.map((name) => otherOf(name as OtherType)))),
})

function otherOf(type: OtherType): fc.Arbitrary<StoredOther> {
  const value = fc.option(fc.constant('ab'))
  const quality = fc.option(fc.integer({ min: 0, max: 100 }))
  const said = { value, quality, refused: fc.boolean() }
  return fc.record({ type: fc.constant(type), version: fc.constantFrom('1', '2'), ...said })
}

function digestOf(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

test('what is stored comes back as it was, and is stored the same again', () => {
  fc.assert(
    fc.property(stored, (given) => {
      const signals = signalsOf(digestOf('blob'), given)
      assert.deepEqual(
        [signals.md5 ?? null, signals.sha1 ?? null, signals.pdq?.hash ?? null],
        [given.md5, given.sha1, given.pdq],
      )
      assert.deepEqual(variantsToStore(signals), given.variants)
      assert.deepEqual(
        othersToStore(signals),
        given.others.map((one) => ({ ...one })),
      )
    }),
    { seed: 20261121 },
  )
})

test('each view of enough quality is there in its eight turns, plainest first, and the plain picture is not repeated', () => {
  fc.assert(
    fc.property(stored, (given) => {
      const found = signalsOf(digestOf('blob'), given).variants ?? []
      const plain = given.pdq !== null && (given.quality ?? 0) >= 50 ? turns.length - 1 : 0
      assert.equal(found.length, plain + given.variants.length * turns.length)
      const order = found.map(({ variant }) => variants.indexOf(variant))
      assert.deepEqual(
        order,
        order.toSorted((a, b) => a - b),
      )
      assert.ok(!order.includes(-1) && !order.includes(variants.indexOf('original')))
      for (const view of given.variants) {
        const rot = found.find(({ variant }) => variant === `${view.variant}+rot90`)
        assert.equal(rot?.hash, turnsOfHash(view.hash).find(({ turn }) => turn === 'rot90')?.hash)
        assert.equal(rot?.quality, view.quality)
      }
    }),
    { seed: 20261121 },
  )
})

test('a picture is of low quality only when no way to look at it says enough', () => {
  const signals = (given: Partial<StoredSignals>) =>
    signalsOf(digestOf('blob'), {
      pdq: digestOf('pdq'),
      quality: 49,
      md5: null,
      sha1: null,
      variants: [],
      others: [],
      ...given,
    })
  assert.equal(isLowQuality(signals({})), true)
  assert.equal(isLowQuality(signals({ quality: 50 })), false)
  assert.equal(isLowQuality(signals({ pdq: null })), false, 'no picture')
  const trimmed = { variant: 'trim' as const, hash: digestOf('trim'), quality: 70 }
  assert.equal(isLowQuality(signals({ variants: [trimmed] })), false)
})
