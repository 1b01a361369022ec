// Where the fields of an entry stand in its bytes. Canonical form fixes their order, so one pass finds and checks them.
import { textOf } from '../ledger/bytes.ts'
import { entryBytesMax } from '../ledger/tree/tiles.ts'
import { isCanonical, skipInteger, skipObject, skipString } from './canonical.ts'

/** Offsets into the bytes. Texts without their quotes; `actor`, `com` and `pub` with their braces. */
export type EntryPlaces = {
  com: number
  comEnd: number
  idem: number
  log: number
  logEnd: number
  prev: number
  pub: number
  pubEnd: number
  seq: number
  time: number
  type: number
  typeEnd: number
}

export const hexLength = 64
export const timeLength = 24
const typeLengthMax = 64

const [beforeActor, beforeCom, beforeIdem, beforeLog, beforePrev] = [
  '{"actor":',
  ',"com":',
  ',"idem":"',
  '","log":"',
  '","prev":"',
].map(ascii) as [Uint8Array, Uint8Array, Uint8Array, Uint8Array, Uint8Array]
const [beforePub, beforeSeq, beforeTime, beforeType, end] = [
  '","pub":',
  ',"seq":',
  ',"t":"',
  '","type":"',
  '","v":1}',
].map(ascii) as [Uint8Array, Uint8Array, Uint8Array, Uint8Array, Uint8Array]

/** Fills `into`; false: this is no entry, and `entryProblem` says why. */
export function scanEntry(bytes: Uint8Array, into: EntryPlaces): boolean {
  if (bytes.length > entryBytesMax) return false
  let at = after(bytes, 0, beforeActor)
  if (at >= 0) at = skipObject(bytes, at, 2)
  if (at >= 0) at = after(bytes, at, beforeCom)
  into.com = at
  if (at >= 0) at = skipCommitments(bytes, at)
  into.comEnd = at
  if (at >= 0) at = after(bytes, at, beforeIdem)
  into.idem = at
  if (at >= 0) at = skipHex(bytes, at)
  if (at >= 0) at = after(bytes, at, beforeLog)
  into.log = at
  if (at >= 0) at = skipString(bytes, at - 1) - 1
  into.logEnd = at
  if (at >= 0) at = after(bytes, at, beforePrev)
  into.prev = at
  if (at >= 0) at = skipHex(bytes, at)
  if (at >= 0) at = after(bytes, at, beforePub)
  into.pub = at
  if (at >= 0) at = skipObject(bytes, at, 2)
  into.pubEnd = at
  if (at >= 0) at = after(bytes, at, beforeSeq)
  const seq = at
  if (at >= 0) at = skipInteger(bytes, at)
  if (at < 0 || bytes[seq] === 0x2d) return false
  into.seq = numberOf(bytes, seq, at)
  at = after(bytes, at, beforeTime)
  into.time = at
  if (at < 0 || !isTime(bytes, at)) return false
  at = after(bytes, at + timeLength, beforeType)
  into.type = at
  if (at >= 0) at = skipType(bytes, at)
  into.typeEnd = at
  if (at < 0 || into.logEnd === into.log) return false
  return after(bytes, at, end) === bytes.length
}

/** In words, why these bytes are no entry. */
export function entryProblem(bytes: Uint8Array): string {
  if (bytes.length > entryBytesMax) return 'the entry is longer than 65,535 bytes'
  const text = textOf(bytes)
  if (text === undefined) return 'the bytes are not UTF-8'
  let document: unknown
  try {
    document = JSON.parse(text)
  } catch {
    return 'the bytes are not a JSON document'
  }
  if (!isCanonical(bytes)) return 'the bytes are not in canonical form'
  const version = (document as { v?: unknown } | null)?.v
  if (typeof version === 'number' && version !== 1)
    return `the entry has the format ${version}, which is not known here`
  return 'the entry lacks a field, or has one too many or one of another shape'
}

function skipCommitments(bytes: Uint8Array, at: number): number {
  let holds = true
  const ends = skipObject(bytes, at, 2, (field) => {
    const from = field.value
    const isText = bytes[from] === 0x22 && field.end === from + hexLength + 2
    if (!isText || skipHex(bytes, from + 1) < 0) holds = false
  })
  return holds ? ends : -1
}

/** 64 hex digits in lower case. */
function skipHex(bytes: Uint8Array, at: number): number {
  for (let i = at; i < at + hexLength; i += 1) if (isHexDigit[bytes[i] as number] !== 1) return -1
  return at + hexLength
}

const isHexDigit = new Uint8Array(256)
for (const digit of ascii('0123456789abcdef')) isHexDigit[digit] = 1

/** `a-b.cD`: a lower-case letter, then letters, digits, hyphens and single dots, 64 at most, no dot at the end. */
function skipType(bytes: Uint8Array, at: number): number {
  let next = at
  let wasDot = true
  for (; next < at + typeLengthMax; next += 1) {
    const byte = bytes[next] ?? 0
    const isLower = byte >= 0x61 && byte <= 0x7a
    const isOther =
      (byte >= 0x41 && byte <= 0x5a) || (byte >= 0x30 && byte <= 0x39) || byte === 0x2d
    if (next === at && !isLower) return -1
    if (byte === 0x2e) {
      if (wasDot) return -1
      wasDot = true
    } else if (isLower || isOther) wasDot = false
    else break
  }
  return wasDot ? -1 : next
}

const monthDays = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]

/** `2026-11-21T03:20:00.123Z`, a moment that there is. */
function isTime(bytes: Uint8Array, at: number): boolean {
  const year = digits(bytes, at, 4)
  const month = digits(bytes, at + 5, 2)
  const day = digits(bytes, at + 8, 2)
  const parts = [year, month, day, digits(bytes, at + 20, 3)]
  if (parts.some((part) => part < 0)) return false
  const hour = digits(bytes, at + 11, 2)
  const minute = digits(bytes, at + 14, 2)
  const second = digits(bytes, at + 17, 2)
  if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 59) return false
  const isMarked =
    bytes[at + 4] === 0x2d &&
    bytes[at + 7] === 0x2d &&
    bytes[at + 10] === 0x54 &&
    bytes[at + 13] === 0x3a &&
    bytes[at + 16] === 0x3a &&
    bytes[at + 19] === 0x2e &&
    bytes[at + 23] === 0x5a
  if (!isMarked || month < 1 || month > 12 || day < 1) return false
  const isLeap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0)
  return day <= (month === 2 && !isLeap ? 28 : (monthDays[month - 1] as number))
}

function digits(bytes: Uint8Array, at: number, count: number): number {
  let value = 0
  for (let i = at; i < at + count; i += 1) {
    const byte = bytes[i] ?? 0
    if (byte < 0x30 || byte > 0x39) return -1
    value = value * 10 + byte - 0x30
  }
  return value
}

function numberOf(bytes: Uint8Array, from: number, to: number): number {
  let value = 0
  for (let i = from; i < to; i += 1) value = value * 10 + (bytes[i] as number) - 0x30
  return value
}

/** Behind these bytes when they stand at `at`; -1 when others do. */
function after(bytes: Uint8Array, at: number, expected: Uint8Array): number {
  for (let i = 0; i < expected.length; i += 1) if (bytes[at + i] !== expected[i]) return -1
  return at + expected.length
}

function ascii(text: string): Uint8Array {
  return Uint8Array.from(text, (char) => char.charCodeAt(0))
}
