// The PDQ hash of decoded pixels: equal to the last bit with the C++ reference on the full-size image.
//
// Pure. Expects rows without padding, one byte a channel, R G B or grey. What feeds it decides what is hashed: alpha is
// dropped before, EXIF orientation is not applied (reference/performance.md 1 has what goes wrong otherwise).
// Source: the PDQ paper and ThreatExchange pdq/cpp/hashing/pdqhashing.cpp.
import type { Hex } from '../../domain/blob.ts'
import { gridSide, windows } from './windows.ts'

/** `hash`: 64 hex digits, bit 255 first. `quality`: 0 to 100, how much there is to see in the picture. */
export type Pdq = { hash: Hex; quality: number }

const hashSide = 16
/** The reference refuses anything smaller with quality 0 and a hash of zeros. */
const sideMin = 5

/** Throws TypeError when the bytes are not width x height x channels. 1920 x 1080 RGB takes about 4 ms. */
export function pdqHash(pixels: Uint8Array, width: number, height: number, channels: 1 | 3): Pdq {
  if (pixels.length !== width * height * channels) {
    throw new TypeError(`${pixels.length} bytes are not ${width} x ${height} x ${channels}`)
  }
  if (width < sideMin || height < sideMin) return { hash: '0'.repeat(64), quality: 0 }
  const grid = blurredGrid(pixels, width, height, channels)
  return { hash: hashHex(lowFrequencies(grid)), quality: gridQuality(grid) }
}

/** The 64 x 64 luma values the reference gets by blurring the whole image and picking every so many pixels. */
function blurredGrid(
  pixels: Uint8Array,
  width: number,
  height: number,
  channels: 1 | 3,
): Float32Array {
  const down = windows(height)
  const across = windows(width)
  const reduceRow = channels === 3 ? reduceRgbRow : reduceGreyRow
  const row = new Float64Array(gridSide)
  const sums = new Float64Array(gridSide * gridSide)
  // Windows move down with their index, so the ones that reach a row lie side by side.
  let first = 0
  for (let y = 0; y < height; y++) {
    while (first < gridSide && down.starts[first]! + down.counts[first]! <= y) first++
    if (first === gridSide) break
    if (down.starts[first]! > y) continue
    reduceRow(pixels, y * width * channels, across, row)
    for (let i = first; i < gridSide && down.starts[i]! <= y; i++) {
      const weight = down.weights[down.offsets[i]! + y - down.starts[i]!]!
      for (let j = 0; j < gridSide; j++) sums[i * gridSide + j]! += weight * row[j]!
    }
  }
  return Float32Array.from(sums)
}

type ReduceRow = (
  pixels: Uint8Array,
  rowStart: number,
  across: ReturnType<typeof windows>,
  row: Float64Array,
) => void

const reduceRgbRow: ReduceRow = (pixels, rowStart, across, row) => {
  const { starts, counts, offsets, weights } = across
  for (let j = 0; j < gridSide; j++) {
    let pixel = rowStart + starts[j]! * 3
    let red = 0
    let green = 0
    let blue = 0
    const end = offsets[j]! + counts[j]!
    for (let k = offsets[j]!; k < end; k++) {
      const weight = weights[k]!
      red += weight * pixels[pixel]!
      green += weight * pixels[pixel + 1]!
      blue += weight * pixels[pixel + 2]!
      pixel += 3
    }
    row[j] = 0.299 * red + 0.587 * green + 0.114 * blue
  }
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

/** The sum of whole-percent steps between neighbours, scaled so that ordinary photographs reach 100. */
function gridQuality(grid: Float32Array): number {
  let steps = 0
  for (let i = 0; i < gridSide; i++) {
    for (let j = 0; j < gridSide; j++) {
      const value = grid[i * gridSide + j]!
      if (i + 1 < gridSide) steps += percentStep(value, grid[(i + 1) * gridSide + j]!)
      if (j + 1 < gridSide) steps += percentStep(value, grid[i * gridSide + j + 1]!)
    }
  }
  return Math.min(100, Math.floor(steps / 90))
}

function percentStep(a: number, b: number): number {
  return Math.abs(Math.trunc(((a - b) * 100) / 255))
}

/** Rows 1 to 16 of the 64-point DCT; the constant term says only how bright the picture is. */
const cosines = Float64Array.from(
  { length: hashSide * gridSide },
  (_, k) =>
    Math.sqrt(2 / gridSide) *
    Math.cos((Math.PI / 2 / gridSide) * (Math.floor(k / gridSide) + 1) * (2 * (k % gridSide) + 1)),
)

/** cosines x grid x cosines transposed: the 16 x 16 lowest frequencies. */
function lowFrequencies(grid: Float32Array): Float64Array {
  const half = new Float64Array(hashSide * gridSide)
  for (let i = 0; i < hashSide; i++) {
    for (let k = 0; k < gridSide; k++) {
      const cosine = cosines[i * gridSide + k]!
      for (let j = 0; j < gridSide; j++) half[i * gridSide + j]! += cosine * grid[k * gridSide + j]!
    }
  }
  const low = new Float64Array(hashSide * hashSide)
  for (let i = 0; i < hashSide; i++) {
    for (let j = 0; j < hashSide; j++) {
      let sum = 0
      for (let k = 0; k < gridSide; k++) sum += half[i * gridSide + k]! * cosines[j * gridSide + k]!
      low[i * hashSide + j] = sum
    }
  }
  return low
}

/** A bit for each frequency above the lower median; frequency 255 is the first bit of the text. */
function hashHex(low: Float64Array): Hex {
  const median = low.toSorted()[low.length / 2 - 1]!
  const bytes = Buffer.alloc(low.length / 8)
  low.forEach((value, k) => {
    if (value > median) bytes[bytes.length - 1 - (k >> 3)]! |= 1 << (k & 7)
  })
  return bytes.toString('hex')
}
