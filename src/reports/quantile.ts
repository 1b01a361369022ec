// Median and 95th percentile by nearest rank: a value that really occurred, as percentile_disc of Postgres gives.

export type Spread = { count: number; median: number; p95: number }

/** undefined: of nothing there is no median. */
export function spreadOf(values: readonly number[]): Spread | undefined {
  if (values.length === 0) return undefined
  const sorted = values.toSorted((a, b) => a - b)
  return { count: sorted.length, median: ranked(sorted, 0.5), p95: ranked(sorted, 0.95) }
}

function ranked(sorted: readonly number[], share: number): number {
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0
}
