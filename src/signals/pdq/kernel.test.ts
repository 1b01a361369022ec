import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { numbers } from '../fixtures/hostile.ts'
import { plainGrid } from './grid.ts'
import { loadKernel } from './kernel.ts'
import type { Look } from './picture.ts'

const kernelGrid = loadKernel()

/**
 * Each value is a sum of at most a few hundred products in 32-bit floats, 24 bits each: off by less than a hundred-thousandth
 * of 255. The reference adds in 32 bits too, so nearer means nothing.
 */
const differenceMax = 0.002

function lookOf(shape: {
  channels: 1 | 3 | 4
  onWhite: boolean
  width: number
  height: number
  seed: number
  cut: [number, number, number, number]
}): Look {
  const { channels, onWhite, width, height, seed } = shape
  const next = numbers(seed)
  const pixels = Uint8Array.from({ length: width * height * channels }, () => next(256))
  const [left, top, right, bottom] = shape.cut.map((share, i) =>
    Math.floor(share * ((i % 2 === 0 ? width : height) - 5) * 0.5),
  ) as [number, number, number, number]
  const area = { left, top, width: width - left - right, height: height - top - bottom }
  return { picture: { pixels, width, height, channels }, area, onWhite }
}

const side = fc.oneof(fc.integer({ min: 5, max: 70 }), fc.integer({ min: 5, max: 420 }))
const share = fc.constantFrom(0, 0, 0.3, 1)
const looks = fc
  .record({
    channels: fc.constantFrom(1 as const, 3 as const, 4 as const),
    onWhite: fc.boolean(),
    width: side,
    height: side,
    seed: fc.integer(),
    cut: fc.tuple(share, share, share, share),
  })
  .map(lookOf)

function largestDifference(a: Float32Array, b: Float32Array): number {
  return a.reduce((largest, value, i) => Math.max(largest, Math.abs(value - b[i]!)), 0)
}

test('gives the grid that plain TypeScript gives, for any channels, sides and part of a picture', () => {
  fc.assert(
    fc.property(looks, (look) => {
      const difference = largestDifference(kernelGrid(look), plainGrid(look))
      assert.ok(difference <= differenceMax, String(difference))
    }),
  )
})

test('does the same for sides where a point sees hundreds of rows or columns', () => {
  const cut: [number, number, number, number] = [0, 0, 0, 0]
  for (const [width, height] of [
    [20_000, 9],
    [9, 20_000],
    [6_001, 129],
  ] as const) {
    const look = lookOf({ channels: 3, onWhite: false, width, height, seed: 7, cut })
    assert.ok(largestDifference(kernelGrid(look), plainGrid(look)) <= differenceMax)
  }
})

test('is not moved by what an earlier picture left in memory', () => {
  fc.assert(
    fc.property(looks, looks, (look, before) => {
      const grid = loadKernel()(look)
      kernelGrid({ ...before, picture: { ...before.picture, pixels: white(before) } })
      assert.deepEqual(kernelGrid(look), grid)
    }),
    { numRuns: 40 },
  )
})

function white({ picture }: Look): Uint8Array {
  return new Uint8Array(picture.pixels.length).fill(255)
}
