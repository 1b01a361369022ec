// The parts that a bank index is put together from: one for each kind of search over the signals of one type.
import type { SignalBatch } from '../domain/signal-batch.ts'

/** What is kept beside a signal's value. */
export type SignalRow = { signalId: number; contentId: number; bankId: number }

/** `query`: which of the values that were searched for together. */
export type RowHit = SignalRow & { query: number; distance: number }

/**
 * Exact: `search` finds every live row within `radius` bits of any query, each pair of row and query once, in no order.
 * `add` and `remove` are in force for the next search and never wait; what they cost is put right in the background.
 * Unknown ids in `remove` are passed over. A failed `load` leaves the part empty.
 */
export type IndexPart = AsyncDisposable & {
  /** Replaces everything; before the first search. `expected` is a hint for how many there will be. */
  load(batches: AsyncIterable<SignalBatch>, expected?: number): Promise<void>
  add(batch: SignalBatch): void
  remove(signalIds: Uint32Array): void
  /** `queries`: values one after the other. */
  search(queries: Uint8Array, radius: number): RowHit[] | Promise<RowHit[]>
  status(): PartStatus
}

export type PartStatus = {
  /** Live rows. */
  signals: number
  bytes: number
  pending: number
  rebuilding: boolean
  rebuilds: number
  lastRebuildMs?: number
}
