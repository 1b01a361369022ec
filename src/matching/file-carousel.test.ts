import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import fc from 'fast-check'
import { createCarousel } from './file-carousel.ts'

/** A ticket is what it was shown. */
function carouselOf(blocks: number, fails: () => boolean = () => false) {
  const sides = [-1, -1]
  const shown = { queriesMost: 0, reads: 0 }
  const carousel = createCarousel<{ seen: number[]; queries: number }>({
    blocks,
    queriesMax: 4,
    async read(block, side) {
      shown.reads += 1
      sides[side] = -1
      await sleep(0)
      if (fails()) throw new Error('the disk is gone')
      sides[side] = block
    },
    async show(block, side, tickets) {
      assert.equal(sides[side], block)
      const queries = tickets.reduce((sum, ticket) => sum + ticket.queries, 0)
      shown.queriesMost = Math.max(shown.queriesMost, queries)
      await sleep(0)
      assert.equal(sides[side], block)
      for (const { seen } of tickets) seen.push(block)
    },
  })
  return { carousel, shown }
}

test('everybody sees every block once, whenever they get on', async () => {
  const arrival = fc.record({
    waitMs: fc.integer({ min: 0, max: 6 }),
    queries: fc.integer({ min: 1, max: 4 }),
  })
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 0, max: 4 }),
      fc.array(arrival, { minLength: 1, maxLength: 9 }),
      async (blocks, arrivals) => {
        const { carousel, shown } = carouselOf(blocks)
        await Promise.all(
          arrivals.map(async ({ waitMs, queries }) => {
            await sleep(waitMs)
            const ticket = { seen: [] as number[], queries }
            await carousel.ride(ticket, queries)
            assert.deepEqual(
              ticket.seen.toSorted((a, b) => a - b),
              Array.from({ length: blocks }).map((_, i) => i),
            )
          }),
        )
        assert.ok(shown.queriesMost <= 4)
        await carousel.idle()
      },
    ),
    { numRuns: 40 },
  )
})

test('those who come together share one reading', async () => {
  const { carousel, shown } = carouselOf(5)
  await Promise.all([1, 1, 2].map((queries) => carousel.ride({ seen: [], queries }, queries)))
  assert.equal(shown.reads, 5)
})

test('who rides when reading fails hears of it, and the next one rides again', async () => {
  let isBroken = true
  const { carousel } = carouselOf(3, () => isBroken)
  const rides = [1, 4].map((queries) => carousel.ride({ seen: [], queries }, queries))
  for (const ride of await Promise.allSettled(rides)) assert.equal(ride.status, 'rejected')
  isBroken = false
  const ticket = { seen: [] as number[], queries: 1 }
  await carousel.ride(ticket, 1)
  assert.deepEqual(
    ticket.seen.toSorted((a, b) => a - b),
    [0, 1, 2],
  )
})
