// Whether a fact's key (`idem`) was there before, for many millions of them in four bytes each.
//
// Promises: every key that was there before is found. A key that only looks alike may be taken for one: whoever asks
// looks at the few found again, in full. Which keys look alike changes with the seed, so that nobody can choose them.

export type SeenFacts = {
  /** 64 hex digits that stand at `at`. True: it may have been there before. */
  add(bytes: Uint8Array, at: number): boolean
}

const loadMax = 0.7

/** `capacity`: how many at most. `seed`: any number. */
export function createSeenFacts(capacity: number, seed: number): SeenFacts {
  let slots = 64
  while (slots * loadMax < capacity) slots *= 2
  const marks = new Uint32Array(slots)
  const mask = slots - 1
  return {
    add(bytes, at) {
      const mark = mix(word(bytes, at) ^ seed) || 1
      let slot = mix(word(bytes, at + 8) ^ mix(seed + word(bytes, at + 16))) & mask
      for (;;) {
        const there = marks[slot]
        if (there === mark) return true
        if (there === 0) break
        slot = (slot + 1) & mask
      }
      marks[slot] = mark
      return false
    },
  }
}

/** Eight hex digits as 32 bits. */
function word(bytes: Uint8Array, at: number): number {
  let value = 0
  for (let i = at; i < at + 8; i += 1) {
    const byte = bytes[i] as number
    value = (value << 4) | (byte < 0x3a ? byte - 0x30 : byte - 0x57)
  }
  return value
}

/** The finaliser of MurmurHash3: every bit of the input moves every bit of the result. */
function mix(input: number): number {
  let value = input
  value = Math.imul(value ^ (value >>> 16), 0x85ebca6b)
  value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35)
  return (value ^ (value >>> 16)) >>> 0
}
