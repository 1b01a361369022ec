// A bank in memory: known signals in, matches out. The same index that the service searches.
//
// Promises: `match` finds exactly what a comparison with every signal would find, each signal once by its nearest variant.
// No match, error or log carries a known signal's value. Good for millions of PDQ hashes (about 130 bytes each).
// Assumes one owner: `add` and `remove` take effect when they return, and are not durable. Nothing outlives the process.
import { distanceBounds, policyDefaults } from '../domain/bank.ts'
import { signalDigits, signalTypes } from '../domain/blob.ts'
import type { Hex, Signals, SignalType } from '../domain/blob.ts'
import { isOfOther } from '../domain/other-type.ts'
import { signalBytes } from '../domain/signal-batch.ts'
import type { IndexState, SignalBatch } from '../domain/signal-batch.ts'
import type { Variant } from '../domain/variant.ts'
import { createBankIndex } from '../matching/bank-index.ts'

/** One known signal. Several with one `id` belong together: a picture's digest and its PDQ. */
export type BankItem = { id: string; type: SignalType; value: Hex }

export type MemoryBankOptions = {
  /** Bits that may differ, 0 to 64. 31 unless given, which is HMA's. */
  pdqDistanceMax?: number
  /** Bits of the 512-bit form, 0 to 128. */
  clipDistanceMax?: number
}

export type ItemMatch = {
  id: string
  type: SignalType
  /** Bits that differ: 0 for digests, 0 to `pdqDistanceMax` for PDQ. */
  distance: number
  /** How the picture was looked at when it came nearest: `original`, `mirror`, `trim+rot90`, … */
  variant: Variant
}

/** Nearer than the bank allows; never farther. */
export type NearerThan = { pdq?: number; clip?: number }

export type MemoryBank = {
  /** Signals that are in it. */
  readonly size: number
  /** Throws TypeError that names the first wrong item by its place, never by its value; then nothing was added. */
  add(items: readonly BankItem[]): void
  /** All signals of these ids; unknown ones are passed over. */
  remove(ids: readonly string[]): void
  match(signals: Signals, nearerThan?: NearerThan): Promise<ItemMatch[]>
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

const bankId = 1

export async function openMemoryBank(
  items: readonly BankItem[] = [],
  options: MemoryBankOptions = {},
): Promise<MemoryBank> {
  const distances = {
    pdq: parseDistance('pdq', options.pdqDistanceMax ?? policyDefaults.pdqDistanceMax),
    clip: parseDistance('clip', options.clipDistanceMax ?? policyDefaults.clipDistanceMax),
  }
  const state = (generation: number): IndexState => ({
    generation,
    disabled: new Map(),
    distanceMax: new Map([[bankId, distances]]),
  })
  const index = createBankIndex({ clock: Date.now, layout: { kind: 'memory' } })
  const idOfSignal = new Map<number, string>()
  const signalsOfId = new Map<string, number[]>()
  // The index takes a number once: a removed one does not come back.
  let lastSignalId = 0
  const take = (some: readonly BankItem[]): SignalBatch[] => {
    some.forEach(checkItem)
    return signalTypes.flatMap((type) => {
      const ofType = some.filter((item) => item.type === type)
      const ids = ofType.map(({ id }) => {
        lastSignalId += 1
        idOfSignal.set(lastSignalId, id)
        const known = signalsOfId.get(id)
        if (known === undefined) signalsOfId.set(id, [lastSignalId])
        else known.push(lastSignalId)
        return lastSignalId
      })
      return ofType.length === 0 ? [] : [pack(type, ofType, ids)]
    })
  }
  await index.load(each(take(items)), state(1))
  const change = (added: SignalBatch[], removed: number[]) =>
    index.apply({
      ...state(index.generation() + 1),
      added,
      removedSignalIds: Uint32Array.from(removed),
    })
  const close = async () => {
    await index[Symbol.asyncDispose]()
  }
  return {
    get size() {
      return idOfSignal.size
    },
    add: (some) => change(take(some), []),
    remove(ids) {
      const removed = ids.flatMap((id) => signalsOfId.get(id) ?? [])
      for (const id of ids) signalsOfId.delete(id)
      for (const signalId of removed) idOfSignal.delete(signalId)
      change([], removed)
    },
    async match(signals, nearerThan = {}) {
      checkSignals(signals)
      const { matches } = await index.match(signals, { distanceMax: nearerThan })
      return matches.flatMap(({ signalId, type, distance, variant }) => {
        const id = idOfSignal.get(signalId)
        // Removed while the search ran.
        return id === undefined || isOfOther(type) ? [] : [{ id, type, distance, variant }]
      })
    },
    close,
    [Symbol.asyncDispose]: close,
  }
}

function parseDistance(type: 'pdq' | 'clip', bits: number): number {
  if (!Number.isInteger(bits) || bits < 0 || bits > distanceBounds[type])
    throw new TypeError(`${type}DistanceMax is a whole number from 0 to ${distanceBounds[type]}`)
  return bits
}

/** A value of another length would be searched as something else. */
function checkSignals(signals: Signals): void {
  const { pdq, variants = [], ...rest } = signals
  for (const { hash } of [...(pdq === undefined ? [] : [pdq]), ...variants]) checkValue('pdq', hash)
  for (const type of ['sha256', 'md5', 'sha1', 'clip'] as const) {
    if (rest[type] !== undefined) checkValue(type, rest[type])
  }
}

function checkItem({ id, type, value }: BankItem, place: number): void {
  if (typeof id !== 'string' || id === '') throw new TypeError(`item ${place} has no id`)
  if (!signalTypes.includes(type)) throw new TypeError(`item ${place} has an unknown signal type`)
  checkValue(type, value, `item ${place}: `)
}

/** The message names the place and never the value. */
function checkValue(type: SignalType, value: Hex, place = ''): void {
  if (typeof value !== 'string' || value.length !== signalDigits[type] || /[^0-9a-f]/.test(value))
    throw new TypeError(`${place}${type} has ${signalDigits[type]} lowercase hex digits`)
}

function pack(type: SignalType, items: readonly BankItem[], ids: number[]): SignalBatch {
  const width = signalBytes[type]
  const values = new Uint8Array(items.length * width)
  items.forEach(({ value }, i) => values.set(Buffer.from(value, 'hex'), i * width))
  return {
    type,
    count: items.length,
    values,
    signalIds: Uint32Array.from(ids),
    contentIds: Uint32Array.from(ids),
    bankIds: new Uint32Array(items.length).fill(bankId),
  }
}

async function* each(batches: SignalBatch[]): AsyncGenerator<SignalBatch> {
  yield* batches
}
