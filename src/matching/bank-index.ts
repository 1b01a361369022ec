// The bank index: one part a signal type, joined by what the banks allow.
//
// Promises: what Matcher says (domain/ports.ts); the tests hold it to linear-matcher.ts. A lookup answers for the
// generation that was in force when it began; what was added or removed since may show or not. Assumes `load` before the
// first match. A crash leaves files of the file layout whole or not at all; the next load replaces them.
import type { SignalType } from '../domain/blob.ts'
import { signalTypes } from '../domain/blob.ts'
import { RetryableError } from '../domain/errors.ts'
import { isOurs, noOtherTypes } from '../domain/other-type.ts'
import type { OtherTypes } from '../domain/other-type.ts'
import type { Clock, Matcher } from '../domain/ports.ts'
import { isOtherBatch } from '../domain/signal-batch.ts'
import type { BankIndex, IndexState, IndexStatus } from '../domain/signal-batch.ts'
import { matchesOf, searchesOf, searchTogether } from './bank-index-match.ts'
import { createParts } from './bank-index-parts.ts'
import type { IndexLayout, SearchableParts } from './bank-index-parts.ts'
import { splitByType } from './bank-index-split.ts'
import { createOtherParts } from './other-part.ts'

export type BankIndexOptions = {
  clock: Clock
  layout: IndexLayout
  /** How many signals of a type are about to be loaded; a wrong answer costs time or memory, nothing else. */
  expected?: Partial<Record<SignalType, number>>
  /** The types of plug-ins; what else comes in is not compared. */
  others?: OtherTypes
  /** Rows beside the tables or files from which these are made anew; for tests. */
  pendingMax?: number
  /** A rebuild that failed is tried again; the index is right meanwhile. */
  onRebuildFailed?: (error: unknown) => void
}

const nothing: IndexState = { generation: 0, disabled: new Map(), distanceMax: new Map() }

export function createBankIndex(options: BankIndexOptions): BankIndex {
  const { clock, layout, expected = {}, others = noOtherTypes } = options
  let state = nothing
  let loading = 0
  const parts = createParts(layout, {
    // What a file holds while it is loaded is the generation of the load.
    generation: () => Math.max(loading, state.generation),
    ...options,
  })
  const otherParts = createOtherParts(others)
  const searchable: SearchableParts = { ...parts, ...Object.fromEntries(otherParts) }
  const everyPart = [...signalTypes.map((type) => parts[type]), ...otherParts.values()]

  const matchMany: Matcher['matchMany'] = async (many, options) => {
    const asOf = state
    const searches = many.map((signals) => searchesOf(signals, asOf, options, others))
    const found = await searchTogether(searches, searchable).catch((cause: unknown) => {
      throw new RetryableError('the bank index could not be searched', { cause })
    })
    const nowSeconds = clock() / 1000
    const matches = found.map((one) => matchesOf(one, asOf, nowSeconds))
    return { matches, generation: asOf.generation }
  }

  return {
    generation: () => state.generation,
    async load(batches, loaded) {
      state = nothing
      loading = loaded.generation
      await splitByType(batches, {
        ours: (type, some) => parts[type].load(some, expected[type]),
        others: [...otherParts].map(([type, part]) => [type, (some) => part.load(some)]),
      })
      state = loaded
    },
    apply(change) {
      for (const batch of change.added) {
        if (isOtherBatch(batch)) otherParts.get(batch.type)?.add(batch)
        else parts[batch.type].add(batch)
      }
      for (const part of everyPart) part.remove(change.removedSignalIds)
      // Last: a file that is begun meanwhile may hold more than its generation says, never less.
      state = change
    },
    async match(signals, options) {
      const { matches, generation } = await matchMany([signals], options)
      return { matches: matches[0]!, generation }
    },
    matchMany,
    status: () => statusOf(layout.kind, parts, otherParts),
    async [Symbol.asyncDispose]() {
      await Promise.all(everyPart.map((part) => part[Symbol.asyncDispose]()))
    },
  }
}

function statusOf(
  layout: IndexStatus['layout'],
  parts: ReturnType<typeof createParts>,
  otherParts: ReturnType<typeof createOtherParts>,
): IndexStatus {
  const signals = { sha256: 0, md5: 0, sha1: 0, pdq: 0, clip: 0 }
  const whole: IndexStatus = {
    layout,
    signals,
    others: {},
    bytes: 0,
    pending: 0,
    rebuilding: false,
    rebuilds: 0,
  }
  for (const [type, own] of [...Object.entries(parts), ...otherParts]) {
    const part = own.status()
    if (isOurs(type)) signals[type] = part.signals
    else whole.others[type] = part.signals
    whole.bytes += part.bytes
    whole.pending += part.pending
    whole.rebuilding ||= part.rebuilding
    whole.rebuilds += part.rebuilds
    if (part.lastRebuildMs !== undefined)
      whole.lastRebuildMs = Math.max(whole.lastRebuildMs ?? 0, part.lastRebuildMs)
  }
  return whole
}
