// A hash table of fixed capacity in typed arrays: values and rows in the order of arrival, chained by bucket.
import type { SignalBatch } from '../domain/signal-batch.ts'
import { copyRow, createRows, rowBytes } from './bank-index-rows.ts'
import type { Rows } from './bank-index-rows.ts'
import { hashOf } from './digest-key.ts'
import type { HashKey } from './digest-key.ts'

export type DigestSegment = {
  readonly capacity: number
  count: number
  /** `words` of 32 bits a row. */
  values: Uint32Array
  rows: Rows
  /** By bucket and by row: the first and the next row of the chain, plus one; 0 ends it. */
  heads: Uint32Array
  nexts: Uint32Array
}

/** A chain is as long as this on average when the segment is full. */
const rowsPerBucket = 4

export function createDigestSegment(words: number, capacity: number): DigestSegment {
  const buckets = 2 ** Math.max(0, Math.floor(Math.log2(capacity / rowsPerBucket)))
  return {
    capacity,
    count: 0,
    values: new Uint32Array(capacity * words),
    rows: createRows(capacity),
    heads: new Uint32Array(buckets),
    nexts: new Uint32Array(capacity),
  }
}

/** Pages that nothing was written to are not in memory. */
export function usedBytes({ values, capacity, count, heads }: DigestSegment): number {
  return count * (values.byteLength / capacity + rowBytes + 4) + heads.byteLength
}

/** `values` holds the batch's values as words. There must be room. */
export function appendDigest(
  segment: DigestSegment,
  { words, key }: { words: number; key: HashKey },
  { batch, values, at }: { batch: SignalBatch; values: Uint32Array; at: number },
): void {
  const position = segment.count
  segment.count += 1
  for (let i = 0; i < words; i++) segment.values[position * words + i] = values[at * words + i]!
  copyRow(segment.rows, position, batch, at)
  link(segment, position, hashOf(values, at * words, words, key))
}

/** Calls `visit` for each row that holds the value at `from`, whose hash is `hash`. */
export function findDigest(
  segment: DigestSegment,
  query: { values: Uint32Array; from: number; words: number; hash: number },
  visit: (position: number) => void,
): void {
  const { values, from, words, hash } = query
  let chained = segment.heads[hash & (segment.heads.length - 1)]!
  for (; chained !== 0; chained = segment.nexts[chained - 1]!) {
    const at = (chained - 1) * words
    let i = 0
    while (i < words && segment.values[at + i] === values[from + i]) i += 1
    if (i === words) visit(chained - 1)
  }
}

/** Takes the row at `position` out; the last row moves there. */
export function removeDigest(
  segment: DigestSegment,
  position: number,
  { words, key }: { words: number; key: HashKey },
): void {
  const last = segment.count - 1
  unlink(segment, position, hashOf(segment.values, position * words, words, key))
  if (last !== position) {
    const hash = hashOf(segment.values, last * words, words, key)
    unlink(segment, last, hash)
    segment.values.copyWithin(position * words, last * words, (last + 1) * words)
    copyRow(segment.rows, position, segment.rows, last)
    link(segment, position, hash)
  }
  segment.count = last
}

function link({ heads, nexts }: DigestSegment, position: number, hash: number): void {
  const bucket = hash & (heads.length - 1)
  nexts[position] = heads[bucket]!
  heads[bucket] = position + 1
}

function unlink({ heads, nexts }: DigestSegment, position: number, hash: number): void {
  const bucket = hash & (heads.length - 1)
  if (heads[bucket] === position + 1) {
    heads[bucket] = nexts[position]!
    return
  }
  let before = heads[bucket]! - 1
  while (nexts[before] !== position + 1) before = nexts[before]! - 1
  nexts[before] = nexts[position]!
}
