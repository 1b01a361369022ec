// From the grid of a picture to its hashes: 16 x 16 frequencies, a bit for each one above the median, and the same
// frequencies seen from the other seven sides.
import type { Hex } from '../../domain/blob.ts'
import type { Turn } from '../../domain/variant.ts'
import { gridSide } from './windows.ts'

export type TurnedHash = { turn: Turn; hash: Hex }

const hashSide = 16

/** Rows 1 to 16 of the 64-point DCT; the constant term says only how bright the picture is. */
const cosines = Float64Array.from(
  { length: hashSide * gridSide },
  (_, k) =>
    Math.sqrt(2 / gridSide) *
    Math.cos((Math.PI / 2 / gridSide) * (Math.floor(k / gridSide) + 1) * (2 * (k % gridSide) + 1)),
)

/** cosines x grid x cosines transposed: the 16 x 16 lowest frequencies, rows by the frequency from top to bottom. */
export function lowFrequencies(grid: Float32Array): Float64Array {
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

/**
 * How a turn is undone: over the diagonal first, then top to bottom, then left to right. The same as in
 * domain/pdq-turns.ts, which the decoder's child may not read.
 */
type Undoing = { transpose: boolean; flip: boolean; mirror: boolean }

const undoings: Record<Turn, Undoing> = {
  original: { transpose: false, flip: false, mirror: false },
  mirror: { transpose: false, flip: false, mirror: true },
  flip: { transpose: false, flip: true, mirror: false },
  rot180: { transpose: false, flip: true, mirror: true },
  rot90: { transpose: true, flip: true, mirror: false },
  rot270: { transpose: true, flip: false, mirror: true },
  transpose: { transpose: true, flip: false, mirror: false },
  transverse: { transpose: true, flip: true, mirror: true },
}

/**
 * The hashes of the eight pictures that this one may have been before somebody turned it; `original` first. A turn names
 * what was done to the uploaded picture: `rot90` is the hash of the picture turned back, counterclockwise, because the
 * upload was turned clockwise. Exact: mirroring a picture changes the sign of its odd frequencies and nothing else.
 */
export function turnedHashes(low: Float64Array): TurnedHash[] {
  return (Object.keys(undoings) as Turn[]).map((turn) => ({
    turn,
    hash: hashHex(undone(low, undoings[turn])),
  }))
}

function undone(low: Float64Array, { transpose, flip, mirror }: Undoing): Float64Array {
  const values = new Float64Array(low.length)
  for (let i = 0; i < hashSide; i++) {
    for (let j = 0; j < hashSide; j++) {
      const value = low[transpose ? j * hashSide + i : i * hashSide + j]!
      // Row 0 holds frequency 1: the odd frequencies are the even rows.
      const negative = (flip && i % 2 === 0) !== (mirror && j % 2 === 0)
      values[i * hashSide + j] = negative ? -value : value
    }
  }
  return values
}

/** A bit for each frequency above the lower median; frequency 255 is the first bit of the text. */
export function hashHex(low: Float64Array): Hex {
  const median = low.toSorted()[low.length / 2 - 1]!
  const bytes = Buffer.alloc(low.length / 8)
  low.forEach((value, k) => {
    if (value > median) bytes[bytes.length - 1 - (k >> 3)]! |= 1 << (k & 7)
  })
  return bytes.toString('hex')
}

/** 0 to 100: the sum of whole-percent steps between neighbours, scaled so that ordinary photographs reach 100. */
export function gridQuality(grid: Float32Array): number {
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
