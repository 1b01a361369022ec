// A bundle's files, wherever they are: a folder on a disk, files that were dropped onto a page. And its lines.
import { textOf } from '../ledger/bytes.ts'

/** Paths as in the bundle, with `/`. Bounded work a call. */
export type BundleFiles = {
  /** The whole file; undefined: there is none. Of a file above the limit, one byte more than the limit. */
  read(path: string): Promise<Uint8Array | undefined>
  /** A file in parts; undefined: there is none. */
  parts(path: string): Promise<AsyncIterable<Uint8Array> | undefined>
}

/** An entry bundle has 256 entries of 65,535 bytes and their lengths at most. */
export const fileBytesMax = 256 * 65_537
export const lineBytesMax = 2_000_000

export type Line =
  { number: number; value: Record<string, unknown> } | { number: number; problem: string }

const newline = 0x0a

/** JSON Lines, an object a line. A line that is none, or does not end, is told as a problem, and reading goes on. */
export async function* readJsonLines(parts: AsyncIterable<Uint8Array>): AsyncGenerator<Line> {
  let number = 0
  let rest: Uint8Array[] = []
  let restBytes = 0
  for await (const part of parts) {
    let from = 0
    for (;;) {
      const end = part.indexOf(newline, from)
      if (end < 0) break
      number += 1
      yield parseLine(number, concat(rest, restBytes, part.subarray(from, end)))
      rest = []
      restBytes = 0
      from = end + 1
    }
    // Beyond the limit only the length matters: the line is refused.
    if (from < part.length && restBytes <= lineBytesMax) rest.push(part.slice(from))
    restBytes += part.length - from
  }
  if (restBytes > 0) yield { number: number + 1, problem: 'the last line does not end' }
}

/** One line ahead: what is read in step with something else. */
export type LineQueue = {
  peek(): Promise<Line | undefined>
  take(): Promise<Line | undefined>
}

export function queueLines(lines: AsyncIterable<Line> | undefined): LineQueue {
  const iterator = lines?.[Symbol.asyncIterator]()
  let ahead: Line | undefined
  let isOver = iterator === undefined
  const peek = async () => {
    if (ahead === undefined && !isOver) {
      const next = await iterator?.next()
      if (next === undefined || next.done === true) isOver = true
      else ahead = next.value
    }
    return ahead
  }
  return {
    peek,
    async take() {
      const line = await peek()
      ahead = undefined
      return line
    },
  }
}

function parseLine(number: number, bytes: Uint8Array): Line {
  if (bytes.length > lineBytesMax) return { number, problem: 'it is too long' }
  try {
    const value: unknown = JSON.parse(textOf(bytes) ?? '')
    if (typeof value === 'object' && value !== null && !Array.isArray(value))
      return { number, value: value as Record<string, unknown> }
  } catch {
    // Said below.
  }
  return { number, problem: 'it is not a JSON object' }
}

function concat(rest: readonly Uint8Array[], restBytes: number, last: Uint8Array): Uint8Array {
  if (rest.length === 0) return last
  const all = new Uint8Array(Math.min(restBytes, 2 * lineBytesMax) + last.length)
  let at = 0
  for (const part of [...rest, last]) {
    if (at + part.length > all.length) return new Uint8Array(lineBytesMax + 1)
    all.set(part, at)
    at += part.length
  }
  return all
}
