// The label stream in memory, for tests of what reads it. Passes the same contract test as the Postgres one.
import { matchesPattern } from './label-patterns.ts'
import type { LabelStore, StoredLabel } from './label-store.ts'

export type MemoryLabelStore = LabelStore & {
  /** Gives the label the next number and removes the row it replaces. Returns the number. */
  put(label: Omit<StoredLabel, 'seq'>): number
}

export function createMemoryLabelStore(): MemoryLabelStore {
  const rows = new Map<string, StoredLabel>()
  const callbacks = new Set<() => void>()
  let head = 0
  return {
    put(label) {
      const key = JSON.stringify([label.src, label.uri, label.val])
      head += 1
      rows.delete(key)
      rows.set(key, { ...label, seq: head })
      for (const callback of callbacks) callback()
      return head
    },
    head: async () => head,
    after: async (seq, limit) => take(rows, (label) => label.seq > seq, limit),
    query: async ({ uriPatterns, sources, afterSeq, limit }) =>
      take(
        rows,
        (label) =>
          label.seq > afterSeq &&
          uriPatterns.some((pattern) => matchesPattern(pattern, label.uri)) &&
          (sources.length === 0 || sources.includes(label.src)),
        limit,
      ),
    onChange(callback) {
      const entry = (): void => callback()
      callbacks.add(entry)
      return () => callbacks.delete(entry)
    },
  }
}

/** A Map keeps insertion order and a replaced row is inserted anew: the order is the order of numbers. */
function take(
  rows: Map<string, StoredLabel>,
  wanted: (label: StoredLabel) => boolean,
  limit: number,
): StoredLabel[] {
  const found: StoredLabel[] = []
  for (const label of rows.values()) {
    if (found.length === limit) break
    if (wanted(label)) found.push(label)
  }
  return found
}
