// A keyed hash of a digest that says in which bucket it lies. The digests themselves come from lists that others write:
// by their own bits a hostile list could put everything into one bucket.
import { randomFillSync } from 'node:crypto'

export type HashKey = readonly [number, number]

export function randomHashKey(): HashKey {
  const [k0, k1] = randomFillSync(new Uint32Array(2))
  return [k0!, k1!]
}

/**
 * HalfSipHash-1-3 (Aumasson and Bernstein, SipHash, 2012; the 32-bit form) over `words` 32-bit words that begin at
 * `from`. Unsigned, 32 bits.
 */
export function hashOf(values: Uint32Array, from: number, words: number, key: HashKey): number {
  let v0 = key[0] | 0
  let v1 = key[1] | 0
  let v2 = 0x6c796765 ^ key[0]
  let v3 = 0x74656462 ^ key[1]
  // A round a word, one for the length, three to finish.
  for (let round = 0; round <= words + 3; round++) {
    let word = 0
    if (round < words) word = values[from + round]!
    else if (round === words) word = words << 26
    else if (round === words + 1) v2 ^= 0xff
    v3 ^= word
    v0 = (v0 + v1) | 0
    v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0
    v0 = (v0 << 16) | (v0 >>> 16)
    v2 = (v2 + v3) | 0
    v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2
    v0 = (v0 + v3) | 0
    v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0
    v2 = (v2 + v1) | 0
    v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2
    v2 = (v2 << 16) | (v2 >>> 16)
    v0 ^= word
  }
  return (v1 ^ v3) >>> 0
}
