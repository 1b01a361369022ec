// What an account.erased entry says: which entries' commitments nobody can open any more, as ranges of entry numbers.
// A verifier pairs each commitment that it cannot open with one of these; one without is a value that went in silence.

export type ErasureRecord = {
  account: number
  /** Of several entries of one erasure. */
  part: number
  parts: number
  fields: number
  /** First and last entry number of each range. */
  erased: [number, number][]
}

/**
 * undefined: not such an entry. `legacy`: from a version that named no entries (it has no `erased`).
 * `wrong`: an entry of ours never looks like this.
 */
export function readErasureRecord(document: {
  type: string
  pub: Record<string, unknown>
}): ErasureRecord | 'legacy' | 'wrong' | undefined {
  if (document.type !== 'account.erased') return undefined
  const { account, part, parts, fields, erased } = document.pub
  if (erased === undefined) return 'legacy'
  const numbers = [account, part, parts, fields]
  if (!numbers.every(isNumber) || !Array.isArray(erased) || !erased.every(isRange)) return 'wrong'
  let before = -1
  for (const [first, last] of erased) {
    if (first <= before || last < first) return 'wrong'
    before = last
  }
  return { account, part, parts, fields, erased } as ErasureRecord
}

/** Whether an erasure accounts for the commitments of this entry, by binary search. */
export function pairErasures(records: readonly ErasureRecord[]): (seq: number) => boolean {
  const ranges = records.flatMap(({ erased }) => erased).toSorted(([a], [b]) => a - b)
  return (seq) => {
    let [low, high] = [0, ranges.length]
    while (low < high) {
      const middle = (low + high) >> 1
      if ((ranges[middle]?.[0] ?? 0) <= seq) low = middle + 1
      else high = middle
    }
    return low > 0 && seq <= (ranges[low - 1]?.[1] ?? -1)
  }
}

function isRange(value: unknown): value is [number, number] {
  return Array.isArray(value) && value.length === 2 && value.every(isNumber)
}

function isNumber(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}
