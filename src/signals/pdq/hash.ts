// The PDQ hash of decoded pixels: equal to the last bit with the C++ reference on the full-size image.
//
// Pure. What feeds it decides what is hashed: the reference drops alpha and does not apply EXIF orientation
// (reference/performance.md 1 has what goes wrong otherwise). The blur is plainGrid or the kernel's; all else is here
// and in frequencies.ts. Source: the PDQ paper and ThreatExchange pdq/cpp/hashing/pdqhashing.cpp.
import type { Hex } from '../../domain/blob.ts'
import { gridQuality, hashHex, lowFrequencies, turnedHashes } from './frequencies.ts'
import type { TurnedHash } from './frequencies.ts'
import { plainGrid } from './grid.ts'
import { wholeOf, type GridOf, type Look } from './picture.ts'

/** `hash`: 64 hex digits, bit 255 first. `quality`: 0 to 100, how much there is to see in the picture. */
export type Pdq = { hash: Hex; quality: number }

/** The reference refuses anything smaller with quality 0 and a hash of zeros. */
const sideMin = 5

/** Throws TypeError when the bytes are not width x height x channels. A fourth channel is left out. */
export function pdqHash(
  pixels: Uint8Array,
  width: number,
  height: number,
  channels: 1 | 3 | 4,
  gridOf: GridOf = plainGrid,
): Pdq {
  const picture = { pixels, width, height, channels }
  const area = wholeOf(picture)
  if (width < sideMin || height < sideMin) return { hash: '0'.repeat(64), quality: 0 }
  const grid = gridOf({ picture, area, onWhite: false })
  return { hash: hashHex(lowFrequencies(grid)), quality: gridQuality(grid) }
}

/** A look's hash from all eight sides (turnedHashes), `original` first; they share one quality. */
export function pdqHashes(look: Look, gridOf: GridOf): { quality: number; hashes: TurnedHash[] } {
  const { width, height } = look.area
  if (width < sideMin || height < sideMin) {
    return { quality: 0, hashes: [{ turn: 'original', hash: '0'.repeat(64) }] }
  }
  const grid = gridOf(look)
  return { quality: gridQuality(grid), hashes: turnedHashes(lowFrequencies(grid)) }
}
