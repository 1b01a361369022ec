// Bank signals as Postgres packs them, a page of rows as one row, and as the index takes them. No object per signal.
import { ask } from '../db/client.ts'
import type { OtherTypes } from '../domain/other-type.ts'
import { bytesOfType } from '../domain/signal-batch.ts'
import type { AnyBatch } from '../domain/signal-batch.ts'

export const loaderLimits = {
  /** Ids of a page of the first load: some tens of milliseconds of Postgres's time. */
  pageIds: 16_384,
  /** Pages asked for at once, each on a connection. */
  atOnce: 2,
  /** Changes taken in at a time: the process does nothing else meanwhile, for a few milliseconds. */
  changeRows: 4_096,
  /** A machine that vanished never answers. */
  answerMs: 40_000,
} as const

/** Signals of one type; `values`: one after the other. */
export type Packed = {
  type: string
  signalIds: Uint32Array
  contentIds: Uint32Array
  values: Uint8Array
}

/** `to` is not in it. */
export type IdRange = { from: number; to: number }

/** A type that is ours or configured, and values as long as its are. */
export function isWhole({ type, signalIds, values }: Packed, others: OtherTypes): boolean {
  const width = bytesOfType(type, others)
  return width !== undefined && values.length === signalIds.length * width
}

/** Of what is whole. */
export function toBatch(packed: Packed, bankIds: Uint32Array): AnyBatch {
  const { type, signalIds, contentIds, values } = packed
  const count = signalIds.length
  // A copy: the bytes that came are a part of something larger.
  const own = new Uint8Array(values)
  return { type, count, values: own, signalIds, contentIds, bankIds } as AnyBatch
}

/** int4 in network order. */
export function toIds(packed: Uint8Array): Uint32Array {
  const bytes = new Uint8Array(packed)
  Buffer.from(bytes.buffer).swap32()
  return new Uint32Array(bytes.buffer)
}

/** `int8send(a::int8 << 32 | b)` of each row. */
export function toIdPairs(packed: Uint8Array): [Uint32Array, Uint32Array] {
  const both = toIds(packed)
  const first = new Uint32Array(both.length / 2)
  const second = new Uint32Array(both.length / 2)
  for (let i = 0; i < first.length; i += 1) {
    first[i] = both[i * 2] as number
    second[i] = both[i * 2 + 1] as number
  }
  return [first, second]
}

/** Ranges of at most `size` ids from `first` to `last`. */
export function* idRanges(first: number, last: number, size: number): Generator<IdRange> {
  for (let from = first; from <= last; from += size) yield { from, to: from + size }
}

/** Reads `loaderLimits.atOnce` ranges at a time and hands over what they gave, in their order. */
export async function* readInOrder<T>(
  ranges: Iterable<IdRange>,
  read: (range: IdRange) => Promise<T>,
): AsyncGenerator<T> {
  const asked: Promise<T>[] = []
  for (const range of ranges) {
    const answer = read(range)
    // Heard where it is awaited; what is asked for after a failure is not.
    answer.catch(() => undefined)
    asked.push(answer)
    if (asked.length >= loaderLimits.atOnce) yield (await asked.shift()) as T
  }
  for (const answer of asked) yield await answer
}

/** Throws RetryableError where the database does not answer in time. */
export async function read<T>(what: string, statement: PromiseLike<T>): Promise<T> {
  return ask(what, statement, loaderLimits.answerMs)
}
