// The checks of what is behind commitments: each opens, or its erasure is an entry, or it is missing.
import { fromHex, textOf, toHex } from '../ledger/bytes.ts'
import { commitmentOf, saltBytes } from '../ledger/commitment.ts'
import type { OpenedMode } from '../ledger/bundle/format.ts'
import type { Erasure } from './check-entries.ts'
import type { Findings } from './findings.ts'
import type { EntryPlaces } from './scan-entry.ts'

export type OpenedValue = { salt: Uint8Array; value: string }

export type OpenedChecks = {
  /** `valueOf`: what is behind a commitment, if it is there. `fields`: for which there is something, if that is known. */
  add(
    seq: number,
    bytes: Uint8Array,
    places: EntryPlaces,
    valueOf: (field: string) => OpenedValue | undefined,
    fields?: Iterable<string>,
  ): void
  /** `erased`: entries that lack a value, by a record. */
  /**
   * `partly`: not all entries were read, so that an erasure's entry may not have been seen. `unread`: what opens the
   * commitments was not there at all, which is told already.
   */
  end(
    erasures: readonly Erasure[],
    read: 'whole' | 'partly' | 'unread',
  ): { opened: number; erased: number; unopened: number }
}

export function createOpenedChecks(findings: Findings, mode: OpenedMode): OpenedChecks {
  /** Runs of entries that lack a value: [from, to, from, to, …]. */
  const missing: number[] = []
  let opened = 0
  let unopened = 0
  return {
    add(seq, bytes, places, valueOf, fields = []) {
      const text = textOf(bytes.subarray(places.com, places.comEnd)) ?? '{}'
      const committed = new Map(Object.entries(JSON.parse(text) as Record<string, string>))
      let lacks = 0
      for (const [field, hex] of committed) {
        const value = valueOf(field)
        if (value === undefined) lacks += 1
        else if (toHex(commitmentOf({ field, ...value })) === hex) opened += 1
        else findings.tampered(seq, `the opened value of "${field}" is not the one committed to`)
      }
      for (const field of fields)
        if (!committed.has(field)) findings.tampered(seq, `it commits to no "${field}"`)
      unopened += lacks
      if (lacks === 0 || mode !== 'all') return
      if (missing.at(-1) === seq - 1) missing[missing.length - 1] = seq
      else missing.push(seq, seq)
    },
    end(erasures, read) {
      const ranges = mergeRanges(erasures.flatMap((erasure) => erasure.ranges))
      let erased = 0
      let at = 0
      for (let i = 0; i < missing.length; i += 2) {
        for (let seq = missing[i] as number; seq <= (missing[i + 1] as number); seq += 1) {
          while (at < ranges.length && (ranges[at] as [number, number])[1] < seq) at += 1
          const range = ranges[at]
          if (range !== undefined && range[0] <= seq) erased += 1
          else if (read === 'whole')
            findings.tampered(seq, 'a value is missing, and no entry says that it was erased')
          else if (read === 'partly')
            findings.incomplete(seq, 'a value is missing, and what says so may be missing too')
        }
      }
      return { opened, erased, unopened }
    },
  }
}

/** A line of opened.jsonl; undefined: it is none. */
export function parseOpened(
  value: Record<string, unknown>,
): ({ seq: number; field: string } & OpenedValue) | undefined {
  const salt = typeof value['salt'] === 'string' ? fromHex(value['salt']) : undefined
  const { seq, field, value: text } = value
  if (!Number.isSafeInteger(seq) || typeof field !== 'string' || typeof text !== 'string')
    return undefined
  if (salt?.length !== saltBytes || !text.isWellFormed()) return undefined
  return { seq: seq as number, field, salt, value: text }
}

function mergeRanges(ranges: readonly [number, number][]): [number, number][] {
  const merged: [number, number][] = []
  for (const [from, to] of ranges.toSorted((a, b) => a[0] - b[0])) {
    const last = merged.at(-1)
    if (last !== undefined && from <= last[1] + 1) last[1] = Math.max(last[1], to)
    else merged.push([from, to])
  }
  return merged
}
