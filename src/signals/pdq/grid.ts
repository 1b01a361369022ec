// The grid of a look in plain TypeScript: what the kernel is measured against, and what hashes where there is no
// WebAssembly. Computes in 64-bit floats and rounds once, as close to the truth as the reference's own 32 bits allow.
import type { GridOf, Look } from './picture.ts'
import { gridSide, windows, type Windows } from './windows.ts'

/** 1920 x 1080 RGB takes about 4 ms. */
export const plainGrid: GridOf = (look) => {
  const { picture, area } = look
  const down = windows(area.height)
  const across = windows(area.width)
  const reduceRow = reducerOf(look)
  const row = new Float64Array(gridSide)
  const sums = new Float64Array(gridSide * gridSide)
  // Windows move down with their index, so the ones that reach a row lie side by side.
  let first = 0
  for (let y = 0; y < area.height; y++) {
    while (first < gridSide && down.starts[first]! + down.counts[first]! <= y) first++
    if (first === gridSide) break
    if (down.starts[first]! > y) continue
    const rowStart = ((area.top + y) * picture.width + area.left) * picture.channels
    reduceRow(picture.pixels, rowStart, across, row)
    for (let i = first; i < gridSide && down.starts[i]! <= y; i++) {
      const weight = down.weights[down.offsets[i]! + y - down.starts[i]!]!
      for (let j = 0; j < gridSide; j++) sums[i * gridSide + j]! += weight * row[j]!
    }
  }
  return Float32Array.from(sums)
}

/** Fills `row` with the 64 points of one row of pixels. */
type ReduceRow = (pixels: Uint8Array, rowStart: number, across: Windows, row: Float64Array) => void

function reducerOf({ picture, onWhite }: Look): ReduceRow {
  switch (picture.channels) {
    case 1:
      return reduceGreyRow
    case 3:
      return (...row) => reduceColourRow(3, ...row)
    case 4:
      return onWhite ? reduceRowOnWhite : (...row) => reduceColourRow(4, ...row)
    default:
      return picture.channels satisfies never
  }
}

function reduceColourRow(
  channels: 3 | 4,
  pixels: Uint8Array,
  rowStart: number,
  across: Windows,
  row: Float64Array,
): void {
  const { starts, counts, offsets, weights } = across
  for (let j = 0; j < gridSide; j++) {
    let pixel = rowStart + starts[j]! * channels
    let red = 0
    let green = 0
    let blue = 0
    const end = offsets[j]! + counts[j]!
    for (let k = offsets[j]!; k < end; k++) {
      const weight = weights[k]!
      red += weight * pixels[pixel]!
      green += weight * pixels[pixel + 1]!
      blue += weight * pixels[pixel + 2]!
      pixel += channels
    }
    row[j] = 0.299 * red + 0.587 * green + 0.114 * blue
  }
}

const reduceRowOnWhite: ReduceRow = (pixels, rowStart, across, row) => {
  const { starts, counts, offsets, weights } = across
  for (let j = 0; j < gridSide; j++) {
    let pixel = rowStart + starts[j]! * 4
    let total = 0
    const end = offsets[j]! + counts[j]!
    for (let k = offsets[j]!; k < end; k++) {
      total += weights[k]! * lumaOnWhite(pixels, pixel)
      pixel += 4
    }
    row[j] = total
  }
}

/** Luma, 0 to 255, of the R G B A at `at` in front of white. */
export function lumaOnWhite(pixels: Uint8Array, at: number): number {
  const luma = 0.299 * pixels[at]! + 0.587 * pixels[at + 1]! + 0.114 * pixels[at + 2]!
  return 255 + ((luma - 255) * pixels[at + 3]!) / 255
}

const reduceGreyRow: ReduceRow = (pixels, rowStart, across, row) => {
  const { starts, counts, offsets, weights } = across
  for (let j = 0; j < gridSide; j++) {
    const pixel = rowStart + starts[j]! - offsets[j]!
    let grey = 0
    const end = offsets[j]! + counts[j]!
    for (let k = offsets[j]!; k < end; k++) grey += weights[k]! * pixels[pixel + k]!
    row[j] = grey
  }
}
