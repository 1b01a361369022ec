// One fixed order of the 256 bits in which every hash and every query is kept. Neighbouring bits of a PDQ hash are
// correlated (they come from neighbouring frequencies); spread over the bands they are as good as uniform
// (reference/performance.md 4), and distances stay what they are.
import { hashBytes } from './layout.ts'

const bits = hashBytes * 8
const nibbles = bits / 4
const seed = 0x70647121

/** Where bit i (bit i % 8 of byte i / 8) goes. */
export function bitPermutation(): Uint8Array {
  const order = Uint8Array.from({ length: bits }, (_, bit) => bit)
  let state = seed
  for (let left = bits - 1; left > 0; left--) {
    // Xorshift (Marsaglia 2003), then Fisher and Yates.
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    const other = (state >>> 0) % (left + 1)
    const bit = order[left]!
    order[left] = order[other]!
    order[other] = bit
  }
  return order
}

/** For each of the 64 nibbles and each of its 16 values the 32 bytes it contributes. */
export function permutationTable(order = bitPermutation()): Uint8Array {
  const table = new Uint8Array(nibbles * 16 * hashBytes)
  for (let nibble = 0; nibble < nibbles; nibble++) {
    for (let value = 0; value < 16; value++) {
      const entry = (nibble * 16 + value) * hashBytes
      for (let bit = 0; bit < 4; bit++) {
        if ((value & (1 << bit)) === 0) continue
        const to = order[nibble * 4 + bit]!
        table[entry + (to >> 3)]! |= 1 << (to & 7)
      }
    }
  }
  return table
}
