// Hamming distance between PDQ hashes, packed into eight 32-bit words.
import type { Hex } from '../../domain/blob.ts'

export const pdqWords = 8

/** 64 hex digits as eight words, first digits first. Throws TypeError on anything else. */
export function packPdq(hash: Hex): Uint32Array {
  if (!/^[0-9a-f]{64}$/.test(hash)) throw new TypeError('a PDQ hash has 64 hex digits')
  return Uint32Array.from({ length: pdqWords }, (_, i) =>
    Number.parseInt(hash.slice(i * 8, i * 8 + 8), 16),
  )
}

/** 0 to 256. `at` and `bt` are where the hashes begin in arrays that hold many. */
export function packedDistance(a: Uint32Array, b: Uint32Array, at = 0, bt = 0): number {
  let distance = 0
  for (let i = 0; i < pdqWords; i++) distance += ones(a[at + i]! ^ b[bt + i]!)
  return distance
}

/** 0 to 256. For single pairs; pack once where many are compared. */
export function pdqDistance(a: Hex, b: Hex): number {
  return packedDistance(packPdq(a), packPdq(b))
}

/** The bits set in a 32-bit word, added up in pairs, nibbles and bytes (Hacker's Delight 5-1). */
function ones(word: number): number {
  const pairs = word - ((word >>> 1) & 0x55555555)
  const nibbles = (pairs & 0x33333333) + ((pairs >>> 2) & 0x33333333)
  return Math.imul((nibbles + (nibbles >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24
}
