// Whether bytes are a JSON document in canonical form (RFC 8785, restricted profile), in one pass and without making it.
//
// Promises: accepts exactly what JSON.parse, the profile and the canonicaliser of the writer accept together
// (canonical.test.ts holds it to them). Works on the bytes alone: the same in Node and in a page.
import { textOf } from '../ledger/bytes.ts'

/** As in src/ledger/entry.ts, which this does not import: it needs Node. */
const depthMax = 64

const quote = 0x22
const backslash = 0x5c
const comma = 0x2c
const colon = 0x3a
const minus = 0x2d
const zero = 0x30
const nine = 0x39

/** The bytes of one whole document? */
export function isCanonical(bytes: Uint8Array): boolean {
  return skipValue(bytes, 0, 0) === bytes.length
}

/** Where the canonical value that begins at `at` ends; -1: there is none. */
export function skipValue(bytes: Uint8Array, at: number, depth: number): number {
  switch (bytes[at] ?? 0) {
    case quote:
      return skipString(bytes, at)
    case 0x7b:
      return depth < depthMax ? skipObject(bytes, at, depth + 1) : -1
    case 0x5b:
      return depth < depthMax ? skipArray(bytes, at, depth + 1) : -1
    case 0x74:
      return skipWord(bytes, at, 'true')
    case 0x66:
      return skipWord(bytes, at, 'false')
    case 0x6e:
      return skipWord(bytes, at, 'null')
    default:
      return skipInteger(bytes, at)
  }
}

/** `onField`: each key's bytes without its quotes, and its value's. */
export function skipObject(
  bytes: Uint8Array,
  at: number,
  depth: number,
  onField?: (field: { key: number; keyEnd: number; value: number; end: number }) => void,
): number {
  if (bytes[at] !== 0x7b) return -1
  if (bytes[at + 1] === 0x7d) return at + 2
  let next = at + 1
  let lastKey = -1
  let lastKeyEnd = -1
  for (;;) {
    const key = next
    const keyEnd = skipString(bytes, key)
    if (keyEnd < 0 || bytes[keyEnd] !== colon) return -1
    if (lastKey >= 0 && !isBefore(bytes, lastKey, lastKeyEnd, key, keyEnd)) return -1
    const end = skipValue(bytes, keyEnd + 1, depth)
    if (end < 0) return -1
    onField?.({ key: key + 1, keyEnd: keyEnd - 1, value: keyEnd + 1, end })
    if (bytes[end] === 0x7d) return end + 1
    if (bytes[end] !== comma) return -1
    lastKey = key
    lastKeyEnd = keyEnd
    next = end + 1
  }
}

function skipArray(bytes: Uint8Array, at: number, depth: number): number {
  if (bytes[at + 1] === 0x5d) return at + 2
  let next = at + 1
  for (;;) {
    const end = skipValue(bytes, next, depth)
    if (end < 0) return -1
    if (bytes[end] === 0x5d) return end + 1
    if (bytes[end] !== comma) return -1
    next = end + 1
  }
}

/** RFC 8785 3.2.2.2: only what must be escaped is, in the shortest way, hex digits in lower case. */
export function skipString(bytes: Uint8Array, at: number): number {
  if (bytes[at] !== quote) return -1
  let next = at + 1
  while (next < bytes.length) {
    const byte = bytes[next] as number
    if (byte === quote) return next + 1
    if (byte < 0x20) return -1
    if (byte === backslash) next = skipEscape(bytes, next)
    else if (byte < 0x80) next += 1
    else next = skipCharacter(bytes, next)
    if (next < 0) return -1
  }
  return -1
}

function skipEscape(bytes: Uint8Array, at: number): number {
  switch (bytes[at + 1] ?? 0) {
    case quote:
    case backslash:
    case 0x62:
    case 0x66:
    case 0x6e:
    case 0x72:
    case 0x74:
      return at + 2
    case 0x75: {
      const [tens, ones] = [bytes[at + 4], bytes[at + 5]]
      if (bytes[at + 2] !== zero || bytes[at + 3] !== zero || ones === undefined) return -1
      if (tens !== zero && tens !== 0x31) return -1
      const isDigit = ones >= zero && ones <= nine
      if (!isDigit && !(ones >= 0x61 && ones <= 0x66)) return -1
      const code = (tens - zero) * 16 + (isDigit ? ones - zero : ones - 0x61 + 10)
      // These have a shorter form.
      const isShort = code === 8 || code === 9 || code === 10 || code === 12 || code === 13
      return isShort ? -1 : at + 6
    }
    default:
      return -1
  }
}

/** One character of more than one byte, in the one way UTF-8 has for it (RFC 3629 section 4); no surrogates. */
function skipCharacter(bytes: Uint8Array, at: number): number {
  const first = bytes[at] as number
  const second = bytes[at + 1] ?? 0
  if (first >= 0xc2 && first <= 0xdf) return isTail(second) ? at + 2 : -1
  if (first >= 0xe0 && first <= 0xef) {
    const least = first === 0xe0 ? 0xa0 : 0x80
    const most = first === 0xed ? 0x9f : 0xbf
    return second >= least && second <= most && isTail(bytes[at + 2]) ? at + 3 : -1
  }
  if (first >= 0xf0 && first <= 0xf4) {
    const least = first === 0xf0 ? 0x90 : 0x80
    const most = first === 0xf4 ? 0x8f : 0xbf
    const holds =
      second >= least && second <= most && isTail(bytes[at + 2]) && isTail(bytes[at + 3])
    return holds ? at + 4 : -1
  }
  return -1
}

function isTail(byte: number | undefined): boolean {
  return byte !== undefined && byte >= 0x80 && byte <= 0xbf
}

function skipWord(bytes: Uint8Array, at: number, word: string): number {
  for (let i = 0; i < word.length; i += 1) if (bytes[at + i] !== word.charCodeAt(i)) return -1
  return at + word.length
}

/** An integer of at most 2^53 - 1 either way, without leading zeroes, and no -0. */
export function skipInteger(bytes: Uint8Array, at: number): number {
  const from = bytes[at] === minus ? at + 1 : at
  let next = from
  let value = 0
  while (isDigit(bytes[next])) {
    value = value * 10 + ((bytes[next] as number) - zero)
    next += 1
    if (next - from > 16) return -1
  }
  if (next === from || !Number.isSafeInteger(value)) return -1
  if (bytes[from] === zero && (next - from > 1 || from > at)) return -1
  return next
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= zero && byte <= nine
}

/** RFC 8785 3.2.3: keys stand in the order of their UTF-16 code units, each once. Both with their quotes. */
function isBefore(
  bytes: Uint8Array,
  one: number,
  oneEnd: number,
  two: number,
  twoEnd: number,
): boolean {
  for (let i = 1; ; i += 1) {
    const a = bytes[one + i] as number
    const b = bytes[two + i] as number
    const isEndA = one + i === oneEnd - 1
    const isEndB = two + i === twoEnd - 1
    // An escape or a character of several bytes does not compare byte by byte.
    if (a === backslash || b === backslash || a >= 0x80 || b >= 0x80)
      return keyOf(bytes, one, oneEnd) < keyOf(bytes, two, twoEnd)
    if (isEndA) return !isEndB
    if (isEndB) return false
    if (a !== b) return a < b
  }
}

function keyOf(bytes: Uint8Array, from: number, end: number): string {
  return JSON.parse(textOf(bytes.subarray(from, end)) ?? '""') as string
}
