import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import { policyDefaults } from './bank.ts'
import type { Bank, Match } from './bank.ts'
import { signalTypes } from './blob.ts'
import { gate, isNegative, isSampled } from './gate.ts'
import { isExact } from './signal-kind.ts'

const runs = { numRuns: 3000, seed: 20261121 }
const bankIds = [1, 2, 3, 4]

const bankOf = (id: number): fc.Arbitrary<Bank> =>
  fc
    .record({
      suppresses: fc.option(
        fc.oneof(fc.constant('all' as const), fc.subarray(bankIds, { minLength: 1 })),
        { nil: undefined },
      ),
      ratio: fc.constantFrom(0, 0.5, 1),
    })
    .map(({ suppresses, ratio }) => ({
      id,
      name: `B${id}`,
      mode: 'act',
      class: 'restricted',
      confidential: false,
      policy: { ...policyDefaults, version: 1, ratio, ...(suppresses && { suppresses }) },
    }))

const given = fc.record({
  banks: fc
    .tuple(...bankIds.map(bankOf))
    .map((banks) => new Map(banks.map((bank) => [bank.id, bank] as const))),
  sha256: fc.integer({ min: 0, max: 999 }).map(digestOf),
  matches: fc.uniqueArray(
    fc.record({
      signalId: fc.integer({ min: 1, max: 40 }),
      bankId: fc.constantFrom(...bankIds),
      type: fc.constantFrom(...signalTypes),
      distance: fc.integer({ min: 0, max: 31 }),
    }),
    { maxLength: 8, selector: ({ signalId }) => signalId },
  ),
})

function digestOf(n: number): string {
  return createHash('sha256').update(String(n)).digest('hex')
}

function matchOf(match: Pick<Match, 'signalId' | 'bankId' | 'type' | 'distance'>): Match {
  const distance = isExact(match.type) ? 0 : match.distance
  return { ...match, distance, contentId: 100 + match.signalId, variant: 'original' }
}

test('every match of a bank that is not negative counts or is set aside, and none of a negative bank does either', () => {
  fc.assert(
    fc.property(given, ({ banks, sha256, matches }) => {
      const all = matches.map(matchOf)
      const { counted, setAside } = gate(all, banks, sha256)
      const found = [...counted, ...setAside].map((match) => match.signalId)
      const positive = all.filter((match) => !isNegative(banks.get(match.bankId)!))
      assert.deepEqual(
        found.toSorted((a, b) => a - b),
        positive.map((match) => match.signalId).toSorted((a, b) => a - b),
      )
    }),
    runs,
  )
})

test('a match is set aside exactly where its bank skips the blob or a negative bank that names it matches at least as surely', () => {
  fc.assert(
    fc.property(given, ({ banks, sha256, matches }) => {
      const all = matches.map(matchOf)
      const { setAside } = gate(all, banks, sha256)
      for (const match of all) {
        const bank = banks.get(match.bankId)!
        if (isNegative(bank)) continue
        const stronger = all.filter((other) => {
          const policy = banks.get(other.bankId)!.policy
          const named = policy.suppresses === 'all' || policy.suppresses?.includes(match.bankId)
          return (
            named === true &&
            isSampled(banks.get(other.bankId)!, sha256) &&
            (isExact(other.type) || !isExact(match.type))
          )
        })
        const found = setAside.find((one) => one.signalId === match.signalId)
        if (!isSampled(bank, sha256)) assert.equal(found?.by, 'ratio')
        else if (stronger.length === 0) assert.equal(found, undefined)
        else {
          assert.ok(found?.by === 'negative')
          assert.ok(stronger.some((one) => one.contentId === found.byContent))
        }
      }
    }),
    runs,
  )
})

test('the order of the matches changes neither what counts nor what is named for it', () => {
  fc.assert(
    fc.property(given, ({ banks, sha256, matches }) => {
      const all = matches.map(matchOf)
      const [one, other] = [all, all.toReversed()].map((some) => {
        const { counted, setAside } = gate(some, banks, sha256)
        const byId = (a: Match, b: Match) => a.signalId - b.signalId
        return [counted.toSorted(byId), setAside.toSorted(byId)]
      })
      assert.deepEqual(one, other)
    }),
    runs,
  )
})

test('a ratio takes its share of blobs, the same ones each time, and a higher one loses none', () => {
  const bank = (ratio: number, ratioSeed = 'a', id = 1) => ({
    id,
    policy: { ...policyDefaults, version: 1, ratio, ratioSeed },
  })
  const digests = Array.from({ length: 4000 }, (_, n) => digestOf(n))
  const taken = (one: ReturnType<typeof bank>) => digests.filter((digest) => isSampled(one, digest))
  assert.equal(taken(bank(0)).length, 0)
  assert.equal(taken(bank(1)).length, digests.length)
  let before = new Set<string>()
  for (const ratio of [0.1, 0.25, 0.5, 0.9]) {
    const some = taken(bank(ratio))
    // Four standard deviations.
    const slack = 4 * Math.sqrt(digests.length * ratio * (1 - ratio))
    assert.ok(Math.abs(some.length - digests.length * ratio) < slack, `${ratio}: ${some.length}`)
    assert.ok([...before].every((digest) => some.includes(digest)))
    before = new Set(some)
  }
  for (const other of [bank(0.5, 'b'), bank(0.5, 'a', 2)]) {
    const both = taken(other).filter((digest) => isSampled(bank(0.5), digest)).length
    assert.ok(Math.abs(both - 1000) < 4 * Math.sqrt(4000 * 0.25 * 0.75), `${both} of 4000 in both`)
  }
})

test('a match of an unknown bank is a mistake of the caller', () => {
  const match = matchOf({ signalId: 1, bankId: 9, type: 'md5', distance: 0 })
  assert.throws(() => gate([match], new Map(), digestOf(1)), TypeError)
})
