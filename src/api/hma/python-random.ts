// The first number of Python's `random.Random(seed).random()` for a text seed: which banks a seeded lookup of HMA sees.
// Pure. Mersenne Twister (MT19937, Matsumoto and Nishimura 1998), seeded by init_by_array as CPython seeds it.
import { createHash } from 'node:crypto'

const size = 624
const half = 397

/** 0 up to but not 1. */
export function pythonRandom(seed: string): number {
  const state = stateOf(keyOf(seed))
  const high = word(state, 0) >>> 5
  const low = word(state, 1) >>> 6
  return (high * 2 ** 26 + low) / 2 ** 53
}

/** CPython, version 2: the text and its SHA-512 as one big number, in words of 32 bits, the least first. */
function keyOf(seed: string): number[] {
  const text = Buffer.from(seed, 'utf8')
  const bytes = Buffer.concat([text, createHash('sha512').update(text).digest()])
  const key: number[] = []
  for (let end = bytes.length; end > 0; end -= 4) {
    let value = 0
    for (let at = Math.max(0, end - 4); at < end; at++)
      value = ((value << 8) | (bytes[at] ?? 0)) >>> 0
    key.push(value)
  }
  while (key.length > 1 && key.at(-1) === 0) key.pop()
  return key
}

function stateOf(key: number[]): Uint32Array {
  const state = new Uint32Array(size)
  state[0] = 19_650_218
  for (let i = 1; i < size; i++) state[i] = Math.imul(1_812_433_253, mixed(state, i)) + i
  let at = 1
  const wrap = () => {
    at += 1
    if (at < size) return
    state[0] = state[size - 1] as number
    at = 1
  }
  for (let k = 0, j = 0; k < Math.max(size, key.length); k++) {
    state[at] =
      ((state[at] as number) ^ Math.imul(mixed(state, at), 1_664_525)) + (key[j] as number) + j
    wrap()
    j = (j + 1) % key.length
  }
  for (let k = 0; k < size - 1; k++) {
    state[at] = ((state[at] as number) ^ Math.imul(mixed(state, at), 1_566_083_941)) - at
    wrap()
  }
  state[0] = 0x8000_0000
  return state
}

function mixed(state: Uint32Array, at: number): number {
  const before = state[at - 1] as number
  return (before ^ (before >>> 30)) >>> 0
}

/** Tempered, of the first turn of the twister; `at` is 0 or 1, so what it needs is still the state of before. */
function word(state: Uint32Array, at: number): number {
  const y = ((state[at] as number) & 0x8000_0000) | ((state[at + 1] as number) & 0x7fff_ffff)
  let value = (state[at + half] as number) ^ (y >>> 1) ^ ((y & 1) === 1 ? 0x9908_b0df : 0)
  value ^= value >>> 11
  value ^= (value << 7) & 0x9d2c_5680
  value ^= (value << 15) & 0xefc6_0000
  return (value ^ (value >>> 18)) >>> 0
}
