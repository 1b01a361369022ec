import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createRateLimits, rateLimits } from './rate-limits.ts'

function atTime(requestsPerSecond: number) {
  const time = { nowMs: 1_000_000 }
  return { time, limits: createRateLimits({ clock: () => time.nowMs, requestsPerSecond }) }
}

test('a burst of two seconds passes, the next is told how long to wait, and then it goes on', () => {
  const { time, limits } = atTime(10)
  for (let n = 0; n < 20; n++) assert.equal(limits.spend('a', undefined).waitMs, 0)
  assert.deepEqual(limits.spend('a', undefined), { limit: 20, remaining: 0, waitMs: 100 })
  time.nowMs += 99
  assert.equal(limits.spend('a', undefined).waitMs, 1)
  time.nowMs += 1
  assert.equal(limits.spend('a', undefined).waitMs, 0)
  assert.ok(limits.spend('a', undefined).waitMs > 0)
})

test("what one key spends is nobody else's, and a key may have a rate of its own", () => {
  const { limits } = atTime(1)
  for (let n = 0; n < 3; n++) limits.spend('a', undefined)
  assert.equal(limits.spend('b', undefined).waitMs, 0)
  for (let n = 0; n < 2_000; n++) assert.equal(limits.spend('c', 1000).waitMs, 0)
  assert.ok(limits.spend('c', 1000).waitMs > 0)
})

test('an address that keeps coming without a key waits; a clock that goes back harms nobody', () => {
  const { time, limits } = atTime(1)
  for (let n = 0; n < rateLimits.refusedPerMinute; n++) {
    assert.equal(limits.refusedTooOften('192.0.2.1'), 0)
    limits.refused('192.0.2.1')
  }
  assert.ok(limits.refusedTooOften('192.0.2.1') > 0)
  assert.equal(limits.refusedTooOften('192.0.2.2'), 0)
  time.nowMs -= 3_600_000
  assert.ok(limits.refusedTooOften('192.0.2.1') > 0)
  time.nowMs += 1_000
  assert.equal(limits.refusedTooOften('192.0.2.1'), 0)
  while (limits.spend('a', undefined).waitMs === 0);
  time.nowMs -= 3_600_000
  assert.equal(limits.spend('a', undefined).waitMs, 1_000)
  time.nowMs += 1_000
  assert.equal(limits.spend('a', undefined).waitMs, 0)
})

test('more callers than are kept do not take each other down', () => {
  const { limits } = atTime(1)
  limits.spend('first', undefined)
  for (let n = 0; n < rateLimits.bucketsMax; n++) limits.spend(`k${n}`, undefined)
  // It was dropped, and is full again.
  assert.equal(limits.spend('first', undefined).remaining, 1)
})
