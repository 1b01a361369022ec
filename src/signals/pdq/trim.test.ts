import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Look } from './picture.ts'
import { withoutBorder } from './trim.ts'
import { rgbOf } from './vectors/pixels.ts'

const inner = { width: 60, height: 40 }
const noise = rgbOf('pixels', inner.width, inner.height)

type Border = { left: number; top: number; right: number; bottom: number }

/** Noise inside a border whose pixels are `shade(x, y)`. */
function framed(
  { left, top, right, bottom }: Border,
  shade: (x: number, y: number) => number,
): Look {
  const width = left + inner.width + right
  const height = top + inner.height + bottom
  const pixels = new Uint8Array(width * height * 3)
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const isInside = x >= left && x < left + inner.width && y >= top && y < top + inner.height
      for (let c = 0; c < 3; c++) {
        const from = ((y - top) * inner.width + x - left) * 3 + c
        pixels[(y * width + x) * 3 + c] = isInside ? noise[from]! : shade(x, y)
      }
    }
  }
  const area = { left: 0, top: 0, width, height }
  return { picture: { pixels, width, height, channels: 3 }, area, onWhite: false }
}

test('finds the picture inside a border of one colour, on any side', () => {
  for (const border of [
    { left: 10, top: 7, right: 4, bottom: 12 },
    { left: 0, top: 20, right: 0, bottom: 20 },
    { left: 15, top: 0, right: 0, bottom: 0 },
  ]) {
    const found = withoutBorder(framed(border, () => 200))
    assert.deepEqual(found, { left: border.left, top: border.top, ...inner })
  }
})

test('sees through a border that is a little rough, as JPEG leaves it', () => {
  const border = { left: 10, top: 10, right: 10, bottom: 10 }
  const found = withoutBorder(framed(border, (x, y) => 128 + ((x * 7 + y * 3) % 5)))
  assert.deepEqual(found, { left: 10, top: 10, ...inner })
})

test('judges the sides by the rows that are left', () => {
  const border = { left: 12, top: 9, right: 0, bottom: 0 }
  const found = withoutBorder(framed(border, (_, y) => (y < 9 ? 0 : 255)))
  assert.deepEqual(found, { left: 12, top: 9, ...inner })
})

test('finds none where there is none', () => {
  assert.equal(withoutBorder(framed({ left: 0, top: 0, right: 0, bottom: 0 }, () => 0)), undefined)
})

test('stops where the border changes its colour and after 45 % of a side', () => {
  const steps = framed({ left: 0, top: 20, right: 0, bottom: 0 }, (_, y) => (y < 8 ? 10 : 90))
  assert.deepEqual(withoutBorder(steps), { left: 0, top: 8, width: 60, height: 52 })
  const deep = framed({ left: 0, top: 160, right: 0, bottom: 0 }, () => 0)
  assert.deepEqual(withoutBorder(deep), { left: 0, top: 90, width: 60, height: 110 })
})
