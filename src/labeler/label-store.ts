// The label stream as it is read. Rows are written elsewhere, by one SQL function that holds the head row's lock,
// so numbers rise in commit order and a reader that asks for "after n" never misses one (Ozone's sequence can).
// A change of one (src, uri, val) takes a new number and removes the row before it: a negated label is gone from
// the stream, its negation stays. Gaps between numbers are normal.
import type { Did } from '../domain/blob.ts'
import type { SignedLabel } from '../domain/ports.ts'
import type { UriPattern } from './label-patterns.ts'

export type StoredLabel = SignedLabel & { seq: number; keyDid: string }

export type LabelQuery = {
  /** Any of them; never empty. */
  uriPatterns: UriPattern[]
  /** Any of them; empty means every source. */
  sources: Did[]
  /** Labels with a larger number only. */
  afterSeq: number
  limit: number
}

/** All methods may be called concurrently; reads throw when the database is away and may be tried again. */
export type LabelStore = {
  /** The largest number given out so far, 0 before the first. Never falls. */
  head(): Promise<number>
  /** The labels after `seq` in rising order, at most `limit`. Fewer than `limit` means: the end was reached. */
  after(seq: number, limit: number): Promise<StoredLabel[]>
  /** In rising order, at most `limit`. */
  query(query: LabelQuery): Promise<StoredLabel[]>
  /**
   * Calls back soon after the head has moved; may call back too often, never too seldom.
   * Returns the function that ends it. Carries no label: each reader reads from its own position.
   */
  onChange(callback: () => void): () => void
}
