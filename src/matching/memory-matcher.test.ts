import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { pdqQualityMin } from '../domain/blob.ts'
import type { Signals } from '../domain/blob.ts'
import type { Match } from '../domain/bank.ts'
import { createMemoryMatcher } from './memory-matcher.ts'
import type { ContentState } from './memory-matcher.ts'

const nowSeconds = 1_800_000_000

// Few values, so that they meet: a hash is a base with some bits flipped.
const bits = fc.uniqueArray(fc.integer({ min: 0, max: 255 }), { maxLength: 40 })
const pdqHex = fc.tuple(fc.constantFrom('00', 'f3'), bits).map(([base, flips]) => {
  const bytes = Buffer.from(base.repeat(32), 'hex')
  for (const bit of flips) bytes[bit >> 3]! ^= 1 << (bit & 7)
  return bytes.toString('hex')
})
const digestHex = (digits: number) => fc.constantFrom('a', 'b').map((char) => char.repeat(digits))

const signalValue = fc.oneof(
  pdqHex.map((value) => ({ type: 'pdq' as const, value })),
  digestHex(64).map((value) => ({ type: 'sha256' as const, value })),
  digestHex(32).map((value) => ({ type: 'md5' as const, value })),
  digestHex(40).map((value) => ({ type: 'sha1' as const, value })),
)

const change = fc.record({
  id: fc.integer({ min: 1, max: 8 }),
  disableUntilTs: fc.constantFrom(0, 1, 1, 1, nowSeconds - 5, nowSeconds, nowSeconds + 5),
  removed: fc.boolean(),
  signals: fc.array(signalValue, { maxLength: 4 }),
  distances: fc.array(fc.integer({ min: 0, max: 31 }), { minLength: 3, maxLength: 3 }),
})

const query: fc.Arbitrary<Signals> = fc.record({
  sha256: digestHex(64),
  md5: digestHex(32),
  sha1: digestHex(40),
  pdq: fc.record({ hash: pdqHex, quality: fc.integer({ min: 45, max: 55 }) }),
})

test('finds exactly what a naive look at every live signal finds, in the order of bank, content, signal', () => {
  fc.assert(
    fc.property(fc.array(change, { maxLength: 12 }), fc.array(query), (changes, queries) => {
      const matcher = createMemoryMatcher({ clock: () => nowSeconds * 1000 })
      const live = new Map<number, ContentState>()
      let distances = new Map<number, number>()
      let signalId = 0
      for (const [generation, one] of changes.entries()) {
        const bankId = 1 + (one.id % 3)
        const content: ContentState = {
          id: one.id,
          bankId,
          disableUntilTs: one.disableUntilTs,
          removed: one.removed,
          signals: one.signals.map((signal) => {
            signalId += 1
            return { ...signal, id: signalId, contentId: one.id, bankId }
          }),
        }
        distances = new Map(one.distances.map((distance, n) => [n + 1, distance]))
        matcher.apply({ generation, contents: [content], pdqDistanceMax: distances })
        live.delete(content.id)
        if (!content.removed) live.set(content.id, content)
        assert.equal(matcher.generation(), generation)
      }
      const size = [...live.values()].reduce((sum, content) => sum + content.signals.length, 0)
      assert.equal(matcher.size(), size)
      for (const signals of queries)
        assert.deepEqual(matcher.match(signals).matches, naive(signals, live, distances))
    }),
    { numRuns: 2000, seed: 20261121 },
  )
})

function naive(
  signals: Signals,
  live: ReadonlyMap<number, ContentState>,
  distances: ReadonlyMap<number, number>,
): Match[] {
  const found: Match[] = []
  for (const content of live.values()) {
    const until = content.disableUntilTs
    if (until === 0 || (until !== 1 && until > nowSeconds)) continue
    for (const { id, type, value } of content.signals) {
      const distance =
        type === 'pdq' ? pdqDistance(signals, value) : signals[type] === value ? 0 : 999
      const max = type === 'pdq' ? (distances.get(content.bankId) ?? -1) : 0
      if (distance > max) continue
      found.push({ signalId: id, contentId: content.id, bankId: content.bankId, type, distance })
    }
  }
  return found.toSorted(
    (a, b) => a.bankId - b.bankId || a.contentId - b.contentId || a.signalId - b.signalId,
  )
}

function pdqDistance({ pdq }: Signals, value: string): number {
  if (pdq === undefined || pdq.quality < pdqQualityMin) return 999
  const differing = BigInt(`0x${pdq.hash}`) ^ BigInt(`0x${value}`)
  return differing.toString(2).replaceAll('0', '').length
}
