import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Hex } from '../domain/blob.ts'
import { turnsOfHash } from '../domain/pdq-turns.ts'
import { signalsOf } from '../domain/stored-signals.ts'
import { setContent } from '../banks/bank-store.ts'
import { createWorld } from '../testing/world.ts'
import { matchNow } from './banks-now.ts'
import { checkSelf } from './self-check.ts'
import { hashOf, withBits } from './seen-in-test.ts'

const bits = fc.array(fc.integer({ min: 0, max: 255 }), { maxLength: 40 })

test('says what the index says, of the same banks', async (t) => {
  const world = await createWorld(t)
  await world.bank('NEAR', { policy: { pdqDistanceMax: 10 } })
  await world.bank('FAR', { policy: { pdqDistanceMax: 45 } })
  await world.bank('HARMLESS', { class: 'open', policy: { suppresses: 'all' } })
  for (const bank of ['NEAR', 'FAR', 'HARMLESS']) {
    for (const name of ['one', 'two', 'three']) {
      const content = await world.content(bank, [
        { type: 'pdq', value: withBits(hashOf(name), [bank.length, 9]) },
        { type: 'md5', value: hashOf(name).slice(0, 32) },
        { type: 'clip', value: hashOf(name).repeat(2) },
      ])
      if (name === 'three' && bank === 'FAR') {
        const { principal } = world
        const change = { change: 'set' as const, disableUntilTs: 0 }
        await setContent(world.db, { bank, content, principal, nowMs: world.clock(), ...change })
      }
    }
  }
  await world.refreshBanks()
  const hash = fc
    .tuple(fc.constantFrom('one', 'two', 'three', 'four').map(hashOf), bits, fc.nat(7))
    .map(([of, moved, turn]) => {
      const value = withBits(of, moved)
      return [value, ...turnsOfHash(value).map((form) => form.hash)][turn] as Hex
    })
  const blob = fc
    .record({
      pdq: fc.option(hash),
      quality: fc.constantFrom(40, 50, 100),
      md5: fc.option(fc.constantFrom('one', 'four').map((name) => hashOf(name).slice(0, 32))),
      sha1: fc.constant(null),
      variants: fc.array(
        hash.map((value) => ({ variant: 'trim' as const, hash: value, quality: 80 })),
        {
          maxLength: 1,
        },
      ),
      clip: fc.option(fc.constantFrom('one', 'two').map((name) => hashOf(name).repeat(2))),
    })
    .map(({ clip, ...stored }) => ({
      ...signalsOf(hashOf('b'), { ...stored, others: [] }),
      ...(clip !== null && { clip }),
    }))
  await fc.assert(
    fc.asyncProperty(fc.array(blob, { maxLength: 3 }), async (blobs) => {
      const { matches, generation } = await matchNow({ db: world.db, blobs, nowMs: world.clock() })
      for (const [index, signals] of blobs.entries()) {
        const expected = await world.matcher.match(signals)
        assert.deepEqual(matches[index], expected.matches)
        assert.equal(generation, expected.generation)
      }
    }),
    { numRuns: 40 },
  )
})

test('an index made of a bank finds each of its signals, and none that is disabled', async (t) => {
  const world = await createWorld(t)
  const bank = await world.bank('OWN', { class: 'open' })
  await world.bank('OTHER', { class: 'open' })
  for (let n = 0; n < 20; n++) {
    await world.content('OWN', [
      { type: 'pdq', value: hashOf(`pdq ${n}`) },
      { type: 'sha1', value: hashOf(`sha1 ${n}`).slice(0, 40) },
      { type: 'clip', value: hashOf(`clip ${n}`).repeat(2) },
    ])
    await world.content('OTHER', `other ${n}`)
  }
  const off = { change: 'set' as const, disableUntilTs: 0, nowMs: world.clock() }
  await setContent(world.db, { bank: 'OWN', content: 1, principal: world.principal, ...off })
  const check = await checkSelf({
    db: world.db,
    bank,
    layout: { kind: 'memory' },
    nowMs: world.clock(),
  })
  assert.deepEqual(check, { signals: 60, found: 57, disabled: 3, wrong: [] })
})
