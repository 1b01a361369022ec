// Bank signals on their way into an index: many at once, packed, because ten million objects would not fit.
import type { OtherType, SignalType } from './blob.ts'
import { digitsOf, isOfOther } from './other-type.ts'
import type { OtherTypes } from './other-type.ts'
import type { Matcher } from './ports.ts'

/** Bytes of a value of each type. */
export const signalBytes = {
  sha256: 32,
  md5: 16,
  sha1: 20,
  pdq: 32,
  clip: 64,
} as const satisfies Record<SignalType, number>

/** undefined: of a type that nobody configured. */
export function bytesOfType(type: string, others: OtherTypes): number | undefined {
  const digits = digitsOf(type, others)
  return digits && digits / 2
}

export type SignalBatch = {
  type: SignalType
  count: number
  /** `count` values of `signalBytes[type]` each, first hex digits first. */
  values: Uint8Array
  signalIds: Uint32Array
  contentIds: Uint32Array
  bankIds: Uint32Array
}

/** Of a plug-in's type: its values have half as many bytes as digits. */
export type OtherBatch = Omit<SignalBatch, 'type'> & { type: OtherType }
export type AnyBatch = SignalBatch | OtherBatch

export function isOtherBatch(batch: AnyBatch): batch is OtherBatch {
  return isOfOther(batch.type)
}

export type IndexState = {
  generation: number
  /** HMA's disable_until_ts of every content that has another one than 1 (enabled); replaces what was known. */
  disabled: ReadonlyMap<number, number>
  /** By bank id; replaces what was known. A bank that is not here matches nothing. */
  distanceMax: ReadonlyMap<number, { pdq: number; clip: number }>
}

/** A signal is never changed: it is added once and removed once, and its id is not used again. */
export type IndexChange = IndexState & {
  added: AnyBatch[]
  removedSignalIds: Uint32Array
}

export type IndexStatus = {
  /** `memory`: everything in memory. `file`: signals in a file, read through the page cache. */
  layout: 'memory' | 'file'
  signals: Record<SignalType, number>
  /** By name: of plug-ins that are configured. */
  others: Record<string, number>
  /** Of this process's memory. */
  bytes: number
  /** Added since the last rebuild; a lookup compares with each of them. */
  pending: number
  rebuilding: boolean
  rebuilds: number
  lastRebuildMs?: number
}

/** `load` once, before the first match; `apply` in the order of generations: in force when it returns. */
export type BankIndex = Matcher &
  AsyncDisposable & {
    load(batches: AsyncIterable<AnyBatch>, state: IndexState): Promise<void>
    apply(change: IndexChange): void
    status(): IndexStatus
  }
