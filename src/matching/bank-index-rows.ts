// What is kept beside each signal's value, in columns: 10 bytes a row and no object. Bank ids take 12 bytes a row where one
// is above 65,535.
import { signalBytes } from '../domain/signal-batch.ts'
import type { SignalBatch } from '../domain/signal-batch.ts'
import type { SignalType } from '../domain/blob.ts'
import type { IndexPart, RowHit } from './index-part.ts'

/** A part that answers at once and can hand out what it holds. */
export type MemoryPart = Omit<IndexPart, 'search'> & {
  search(queries: Uint8Array, radius: number): RowHit[]
  /** A copy of the live rows, in no order. */
  snapshot(): SignalBatch
}

export type Rows = {
  signalIds: Uint32Array
  contentIds: Uint32Array
  bankIds: Uint16Array | Uint32Array
}

export const rowBytes = 10
const shortMax = 65_535

export function createRows(capacity: number): Rows {
  return {
    signalIds: new Uint32Array(capacity),
    contentIds: new Uint32Array(capacity),
    bankIds: new Uint16Array(capacity),
  }
}

/** A larger copy. */
export function growRows(rows: Rows, capacity: number): Rows {
  const grown = createRows(capacity)
  if (rows.bankIds instanceof Uint32Array) grown.bankIds = new Uint32Array(capacity)
  grown.signalIds.set(rows.signalIds)
  grown.contentIds.set(rows.contentIds)
  grown.bankIds.set(rows.bankIds)
  return grown
}

export function copyRow(
  to: Rows,
  position: number,
  from: Rows | SignalBatch,
  fromPosition: number,
): void {
  to.signalIds[position] = from.signalIds[fromPosition]!
  to.contentIds[position] = from.contentIds[fromPosition]!
  const bankId = from.bankIds[fromPosition]!
  if (bankId > shortMax && to.bankIds instanceof Uint16Array)
    to.bankIds = new Uint32Array(to.bankIds)
  to.bankIds[position] = bankId
}

export function rowHit(rows: Rows, position: number, query: number, distance: number): RowHit {
  return {
    signalId: rows.signalIds[position]!,
    contentId: rows.contentIds[position]!,
    bankId: rows.bankIds[position]!,
    query,
    distance,
  }
}

/** Empty, with room for `capacity` rows. */
export function createBatch(type: SignalType, capacity: number): SignalBatch {
  return {
    type,
    count: 0,
    values: new Uint8Array(capacity * signalBytes[type]),
    signalIds: new Uint32Array(capacity),
    contentIds: new Uint32Array(capacity),
    bankIds: new Uint32Array(capacity),
  }
}

/** Adds row `at` of a table, whose values lie one after the other in `values`. There must be room. */
export function pushRow(
  batch: SignalBatch,
  values: Uint8Array,
  rows: Rows | SignalBatch,
  at: number,
): void {
  const width = signalBytes[batch.type]
  for (let i = 0; i < width; i++) batch.values[batch.count * width + i] = values[at * width + i]!
  batch.signalIds[batch.count] = rows.signalIds[at]!
  batch.contentIds[batch.count] = rows.contentIds[at]!
  batch.bankIds[batch.count] = rows.bankIds[at]!
  batch.count += 1
}

/** The same bytes where they lie on a boundary of 4, a copy where not. */
export function asWords(values: Uint8Array): Uint32Array {
  const aligned = values.byteOffset % 4 === 0 ? values : new Uint8Array(values)
  return new Uint32Array(aligned.buffer, aligned.byteOffset, aligned.byteLength / 4)
}
