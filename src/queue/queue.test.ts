import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FatalError } from '../domain/errors.ts'
import { createBell } from './bell.ts'
import { runLoop } from './run-loop.ts'
import type { LoopOptions } from './run-loop.ts'

/** A loop over the numbers up to `count`, which stops by itself when all were handled. */
function loopOver(count: number, handle: (n: number) => Promise<void>, slots = 3) {
  const stop = new AbortController()
  const queue = Array.from({ length: count }, (_, n) => n)
  const errors: unknown[] = []
  let handled = 0
  const options: LoopOptions<number> = {
    slots,
    claim: async (free) => queue.splice(0, free),
    handle: async (n) => {
      try {
        await handle(n)
      } finally {
        handled += 1
        if (handled === count) stop.abort()
      }
    },
    bell: createBell(),
    idleMs: 60_000,
    failureMs: 1,
    onError: (error) => errors.push(error),
    workSignal: new AbortController().signal,
  }
  return { options, stop, queue, errors, run: () => runLoop(options, stop.signal) }
}

test('handles every piece once and never more at a time than there are slots', async () => {
  let running = 0
  let most = 0
  const seen: number[] = []
  const loop = loopOver(40, async (n) => {
    running += 1
    most = Math.max(most, running)
    await new Promise(setImmediate)
    seen.push(n)
    running -= 1
  })
  await loop.run()
  assert.deepEqual(
    seen.toSorted((a, b) => a - b),
    Array.from({ length: 40 }, (_, n) => n),
  )
  assert.equal(most, 3)
})

test('a piece that fails is told of and the others go on', async () => {
  const loop = loopOver(6, async (n) => {
    if (n % 2 === 0) throw new Error(`piece ${n}`)
  })
  await loop.run()
  assert.equal(loop.errors.length, 3)
})

test('a claim that fails is tried again', async () => {
  const loop = loopOver(2, async () => undefined)
  const { claim } = loop.options
  let failures = 2
  loop.options.claim = async (free) => {
    failures -= 1
    if (failures >= 0) throw new Error('away')
    return claim(free)
  }
  await loop.run()
  assert.equal(loop.errors.length, 2)
  assert.equal(loop.queue.length, 0)
})

test('a fatal error ends the loop, after what runs has ended', async () => {
  let ended = 0
  const loop = loopOver(100, async (n) => {
    if (n === 1) throw new FatalError('the chain is broken')
    await new Promise(setImmediate)
    ended += 1
  })
  await assert.rejects(loop.run(), FatalError)
  assert.ok(loop.queue.length > 0, 'nothing more was claimed')
  assert.equal(ended, 100 - loop.queue.length - 1)
})

test('a bell that rang while nobody waited is heard by the next who waits, once', async () => {
  const bell = createBell()
  const never = new AbortController()
  bell.ring()
  await bell.wait(60_000, never.signal)
  let woken = false
  const second = bell.wait(60_000, never.signal).then(() => (woken = true))
  await new Promise(setImmediate)
  assert.equal(woken, false)
  bell.ring()
  await second
  const stopped = bell.wait(60_000, never.signal)
  never.abort()
  await stopped
})
