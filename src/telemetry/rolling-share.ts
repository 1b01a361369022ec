// The share of events with a property within the last minutes, in constant memory: a ring of time buckets.
export type RollingShare = {
  count(hit: boolean): void
  /** 0 to 1; undefined when nothing was counted within the window. */
  value(): number | undefined
}

export const shareWindowMs = 5 * 60_000
const bucketMs = 10_000
const bucketCount = shareWindowMs / bucketMs

export function createRollingShare(clock: () => number): RollingShare {
  const ring = Array.from({ length: bucketCount }, () => ({ slot: -1, hits: 0, total: 0 }))
  const slotNow = (): number => Math.floor(clock() / bucketMs)
  return {
    count(hit) {
      const slot = slotNow()
      const bucket = ring[slot % bucketCount]
      if (bucket === undefined) return
      if (bucket.slot !== slot) Object.assign(bucket, { slot, hits: 0, total: 0 })
      bucket.total += 1
      if (hit) bucket.hits += 1
    },
    value() {
      const oldest = slotNow() - bucketCount
      const live = ring.filter((bucket) => bucket.slot > oldest)
      const total = live.reduce((sum, bucket) => sum + bucket.total, 0)
      return total === 0 ? undefined : live.reduce((sum, bucket) => sum + bucket.hits, 0) / total
    },
  }
}
