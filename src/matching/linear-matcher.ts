// The naive bank index: every signal an object, every lookup a loop over all of them. It is the measure that the others
// are held to, so it is written to be believed by reading it. Good for some thousands of signals.
import { pdqQualityMin } from '../domain/blob.ts'
import type { AnySignalType, Signals } from '../domain/blob.ts'
import type { Match } from '../domain/bank.ts'
import { isOfOther, noOtherTypes } from '../domain/other-type.ts'
import type { OtherTypes } from '../domain/other-type.ts'
import type { Clock, MatchOptions } from '../domain/ports.ts'
import { bytesOfType } from '../domain/signal-batch.ts'
import type { AnyBatch, BankIndex, IndexState, IndexStatus } from '../domain/signal-batch.ts'
import { variants } from '../domain/variant.ts'
import type { Variant } from '../domain/variant.ts'

type Row = {
  signalId: number
  contentId: number
  bankId: number
  type: AnySignalType
  value: Uint8Array
}

/** One way in which the blob was looked at. `max`: bits, by bank. */
type Look = {
  type: AnySignalType
  variant: Variant
  value: Uint8Array
  max: (bankId: number) => number
}

export function createLinearMatcher(options: { clock: Clock; others?: OtherTypes }): BankIndex {
  const { clock, others = noOtherTypes } = options
  const rows = new Map<number, Row>()
  let state: IndexState = { generation: 0, disabled: new Map(), distanceMax: new Map() }
  const add = (batch: AnyBatch) => {
    for (const row of unpack(batch, others)) rows.set(row.signalId, row)
  }
  const match = (signals: Signals, options?: MatchOptions) => {
    const looks = looksOf(signals, state, others, options)
    const nowSeconds = clock() / 1000
    return [...rows.values()]
      .filter((row) => isEnabled(state.disabled.get(row.contentId), nowSeconds))
      .flatMap((row) => nearest(row, looks) ?? [])
      .toSorted(byBank)
  }
  return {
    generation: () => state.generation,
    async load(batches, loaded) {
      rows.clear()
      for await (const batch of batches) add(batch)
      state = loaded
    },
    apply(change) {
      for (const batch of change.added) add(batch)
      for (const signalId of change.removedSignalIds) rows.delete(signalId)
      state = change
    },
    match: async (signals, options) => ({
      matches: match(signals, options),
      generation: state.generation,
    }),
    matchMany: async (many, options) => ({
      matches: many.map((signals) => match(signals, options)),
      generation: state.generation,
    }),
    status: () => statusOf(rows.values()),
    async [Symbol.asyncDispose]() {
      rows.clear()
    },
  }
}

/** In the order of `variants`, so that of equal distances the first is the one to keep. */
function looksOf(
  signals: Signals,
  { distanceMax }: IndexState,
  others: OtherTypes,
  options: MatchOptions = {},
): Look[] {
  const looks: Look[] = []
  for (const type of ['sha256', 'md5', 'sha1'] as const) {
    const hex = signals[type]
    if (hex !== undefined)
      looks.push({ type, variant: 'original', value: bytesOf(hex), max: () => 0 })
  }
  const maxOf = (type: 'pdq' | 'clip') => (bankId: number) =>
    Math.min(distanceMax.get(bankId)?.[type] ?? -1, options.distanceMax?.[type] ?? Infinity)
  const pictures = [
    ...(signals.pdq === undefined ? [] : [{ variant: 'original' as const, ...signals.pdq }]),
    ...(signals.variants ?? []),
  ]
  for (const variant of variants) {
    for (const picture of pictures) {
      if (picture.variant !== variant || picture.quality < pdqQualityMin) continue
      looks.push({ type: 'pdq', variant, value: bytesOf(picture.hash), max: maxOf('pdq') })
    }
  }
  if (signals.clip !== undefined) {
    const value = bytesOf(signals.clip)
    looks.push({ type: 'clip', variant: 'original', value, max: maxOf('clip') })
  }
  for (const { type, version, value } of signals.others ?? []) {
    const rule = others.get(type)
    if (rule === undefined || rule.version !== version || value === undefined) continue
    looks.push({ type, variant: 'original', value: bytesOf(value), max: () => rule.radius })
  }
  return looks
}

/** HMA's disable_until_ts: 0 disabled, 1 enabled, else disabled until that unix second. */
function isEnabled(until: number | undefined, nowSeconds: number): boolean {
  return until === undefined || until === 1 || (until !== 0 && until <= nowSeconds)
}

function nearest(row: Row, looks: readonly Look[]): Match | undefined {
  let best: Match | undefined
  for (const { type, variant, value, max } of looks) {
    if (type !== row.type) continue
    const distance = bitsBetween(row.value, value)
    // A digest is equal or it is another file: how many bits differ says nothing, and its `max` is 0.
    if (distance > max(row.bankId) || distance >= (best?.distance ?? Infinity)) continue
    const { signalId, contentId, bankId } = row
    best = { signalId, contentId, bankId, type, distance, variant }
  }
  return best
}

/** The order in which matches are answered: bank, content, signal. */
function byBank(a: Match, b: Match): number {
  return a.bankId - b.bankId || a.contentId - b.contentId || a.signalId - b.signalId
}

function bitsBetween(a: Uint8Array, b: Uint8Array): number {
  let bits = 0
  for (let i = 0; i < a.length; i++) {
    for (let differing = a[i]! ^ b[i]!; differing > 0; differing >>= 1) bits += differing & 1
  }
  return bits
}

function bytesOf(hex: string): Uint8Array {
  return Uint8Array.from(Buffer.from(hex, 'hex'))
}

function unpack(batch: AnyBatch, others: OtherTypes): Row[] {
  const { type, count, values, signalIds, contentIds, bankIds } = batch
  const width = bytesOfType(type, others)
  if (width === undefined) return []
  return Array.from({ length: count }, (_, i) => ({
    signalId: signalIds[i]!,
    contentId: contentIds[i]!,
    bankId: bankIds[i]!,
    type,
    value: values.slice(i * width, (i + 1) * width),
  }))
}

function statusOf(rows: Iterable<Row>): IndexStatus {
  const signals = { sha256: 0, md5: 0, sha1: 0, pdq: 0, clip: 0 }
  const others: Record<string, number> = {}
  for (const { type } of rows) {
    if (isOfOther(type)) others[type] = (others[type] ?? 0) + 1
    else signals[type] += 1
  }
  return { layout: 'memory', signals, others, bytes: 0, pending: 0, rebuilding: false, rebuilds: 0 }
}
