import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { actionKinds, lowerMode, modes, policyDefaults } from './bank.ts'
import type { Bank, Match } from './bank.ts'
import type { OtherType } from './blob.ts'
import { decide } from './decide.ts'
import type { DecideInput } from './decide.ts'
import { isExact, isPerceptual } from './signal-kind.ts'

const odd = 'odd' as OtherType
const runs = { numRuns: 5000, seed: 20261121 }

const bankOf = (id: number): fc.Arbitrary<Bank> =>
  fc.record({
    id: fc.constant(id),
    name: fc.constant(`B${id}`),
    mode: fc.constantFrom(...modes),
    class: fc.constantFrom('restricted' as const, 'open' as const),
    confidential: fc.boolean(),
    policy: fc
      .record({
        exact: fc.constantFrom('act' as const, 'hold' as const),
        perceptual: fc.constantFrom('act' as const, 'hold' as const),
        actions: fc.subarray([...actionKinds]),
        preserve: fc.boolean(),
        version: fc.integer({ min: 1, max: 9 }),
        label: fc.option(fc.constantFrom('spam', 'gore'), { nil: undefined }),
      })
      .map(({ label, ...policy }) => ({ ...policyDefaults, ...policy, ...(label && { label }) })),
  })

const input: fc.Arbitrary<DecideInput> = fc.tuple(bankOf(1), bankOf(2), bankOf(3)).chain((banks) =>
  fc.record({
    deploymentMode: fc.constantFrom(...modes),
    retroactive: fc.boolean(),
    banks: fc.constant(new Map(banks.map((bank) => [bank.id, bank]))),
    matches: fc
      .uniqueArray(
        fc.record({
          signalId: fc.integer({ min: 1, max: 30 }),
          type: fc.constantFrom(...(['sha256', 'md5', 'pdq', 'clip'] as const), odd),
          distance: fc.integer({ min: 0, max: 31 }),
        }),
        { minLength: 1, maxLength: 6, selector: (match) => match.signalId },
      )
      .map((matches) => matches.map(matchOf)),
    place: fc.oneof(
      fc.record({ administered: fc.boolean() }),
      fc.record({
        administered: fc.boolean(),
        collection: fc.constantFrom('app.bsky.feed.post', 'app.bsky.actor.profile'),
        rkey: fc.constantFrom('a', 'self'),
      }),
    ),
    canLabel: fc.boolean(),
    canPreserve: fc.boolean(),
  }),
)

/** A signal belongs to one content and one bank. */
function matchOf(match: Pick<Match, 'signalId' | 'type' | 'distance'>): Match {
  const contentId = 100 + (match.signalId % 9)
  const distance = isExact(match.type) ? 0 : match.distance
  return { ...match, distance, contentId, bankId: 1 + (contentId % 3), variant: 'original' }
}

function bankOfMatch(given: DecideInput, match: Match): Bank {
  return given.banks.get(match.bankId) as Bank
}

test('no perceptual match acts unless the bank says so, no match of a plug-in ever does, and nothing acts in observe, hold, retroactively or without a vault', () => {
  fc.assert(
    fc.property(input, (given) => {
      const decision = decide(given)
      if (decision.outcome !== 'acted') return
      assert.equal(given.deploymentMode, 'act')
      assert.equal(given.retroactive, false)
      for (const contentId of decision.contents) {
        const causes = given.matches.filter((match) => {
          const { mode, policy } = bankOfMatch(given, match)
          const may = isPerceptual(match.type)
            ? policy.perceptual === 'act'
            : isExact(match.type) && policy.exact === 'act'
          return (
            match.contentId === contentId &&
            mode === 'act' &&
            (given.canPreserve || !policy.preserve) &&
            may
          )
        })
        assert.ok(causes.length > 0, 'every cause acts by itself')
      }
    }),
    runs,
  )
})

test('takedowns only where we administer, records only where there is one, and a profile stays', () => {
  fc.assert(
    fc.property(input, (given) => {
      const { wants } = decide(given)
      const { administered, collection, rkey } = given.place
      if (!administered) assert.ok(wants.every((kind) => kind === 'label'))
      if (collection === undefined) assert.ok(wants.every((kind) => kind === 'takedown-blob'))
      if (rkey === 'self') assert.ok(!wants.includes('takedown-record'))
    }),
    runs,
  )
})

test('a restricted bank never labels, not even by way of another bank', () => {
  fc.assert(
    fc.property(input, (given) => {
      const decision = decide(given)
      const restricted = given.matches.some(
        (match) => bankOfMatch(given, match).class === 'restricted',
      )
      if (restricted || !given.canLabel) {
        assert.ok(!decision.wants.includes('label'))
        assert.equal(decision.label, undefined)
      }
      if (decision.wants.includes('label')) {
        const values = given.matches
          .filter((match) => decision.contents.includes(match.contentId))
          .map((match) => bankOfMatch(given, match).policy)
          .filter((policy) => policy.actions.includes('label'))
          .map((policy) => policy.label)
        assert.ok(values.includes(decision.label), 'the value is of a bank that wants to label')
      }
    }),
    runs,
  )
})

test('every action that is wanted is one that a bank behind the decision asks for', () => {
  fc.assert(
    fc.property(input, (given) => {
      const decision = decide(given)
      const asked = given.matches
        .filter((match) => decision.contents.includes(match.contentId))
        .flatMap((match) => bankOfMatch(given, match).policy.actions)
      for (const kind of decision.wants) assert.ok(asked.includes(kind))
      if (decision.outcome === 'acted') assert.ok(decision.wants.length > 0)
    }),
    runs,
  )
})

test('observe writes down exactly what act would want', () => {
  fc.assert(
    fc.property(input, (given) => {
      const isAwake = given.matches.every((match) => bankOfMatch(given, match).mode !== 'observe')
      fc.pre(isAwake)
      const observed = decide({ ...given, deploymentMode: 'observe' })
      const acted = decide({ ...given, deploymentMode: 'act' })
      assert.equal(observed.outcome, 'observed')
      assert.deepEqual(
        [observed.wants, observed.label, observed.contents, observed.lead],
        [acted.wants, acted.label, acted.contents, acted.lead],
      )
    }),
    runs,
  )
})

test('the order of the matches changes nothing', () => {
  fc.assert(
    fc.property(
      input,
      fc.infiniteStream(fc.double({ min: 0, max: 1, noNaN: true })),
      (given, keys) => {
        const shuffled = given.matches
          .map((match) => ({ match, key: keys.next().value as number }))
          .toSorted((a, b) => a.key - b.key)
          .map(({ match }) => match)
        assert.deepEqual(decide({ ...given, matches: shuffled }), decide(given))
      },
    ),
    runs,
  )
})

test('the mode of a decision is the lower of the deployment and the leading bank', () => {
  fc.assert(
    fc.property(input, (given) => {
      const { lead, mode, outcome } = decide(given)
      assert.equal(mode, lowerMode(given.deploymentMode, bankOfMatch(given, lead).mode))
      if (mode === 'observe') assert.equal(outcome, 'observed')
      if (mode === 'hold') assert.equal(outcome, 'held')
    }),
    runs,
  )
})

test('a negative bank decides nothing, beside others or alone', () => {
  fc.assert(
    fc.property(input, (given) => {
      const negative: Bank = {
        id: 9,
        name: 'HARMLESS',
        mode: 'act',
        class: 'restricted',
        confidential: false,
        policy: { ...policyDefaults, version: 1, perceptual: 'act', suppresses: 'all' },
      }
      const match: Match = {
        signalId: 99,
        contentId: 999,
        bankId: 9,
        type: 'sha256',
        distance: 0,
        variant: 'original',
      }
      const banks = new Map([...given.banks, [9, negative]])
      const matches = [match, ...given.matches]
      assert.deepEqual(decide({ ...given, banks, matches }), decide(given))
      assert.throws(() => decide({ ...given, banks, matches: [match] }), TypeError)
    }),
    { ...runs, numRuns: 1000 },
  )
})

test('a decision without a match or with an unknown bank is a mistake of the caller', () => {
  const given: DecideInput = {
    deploymentMode: 'act',
    retroactive: false,
    matches: [],
    banks: new Map(),
    place: { administered: true },
    canLabel: false,
    canPreserve: false,
  }
  assert.throws(() => decide(given), TypeError)
  const match = matchOf({ signalId: 1, type: 'md5', distance: 0 })
  assert.throws(() => decide({ ...given, matches: [match] }), TypeError)
})
