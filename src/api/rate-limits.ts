// How often one caller may ask: a bucket of tokens for each key, and one for each address that came without a good key.
//
// Promises: memory is bounded; what one key spends is nobody else's. In this process only: several processes together
// allow several times as much. A crash fills every bucket.
import type { Clock } from '../domain/ports.ts'

export const rateLimits = {
  /** A bucket holds this many seconds of its rate, so that a burst is no fault. */
  burstSeconds: 2,
  /** Requests without a good key, from one address. */
  refusedPerMinute: 60,
  bucketsMax: 10_000,
} as const

export type Spent = { limit: number; remaining: number; waitMs: number }

export type RateLimits = {
  /** `waitMs` > 0: not now. */
  spend(keyId: string, requestsPerSecond: number | undefined): Spent
  refused(address: string): void
  /** Milliseconds until that address may ask again. */
  refusedTooOften(address: string): number
}

export function createRateLimits(options: { clock: Clock; requestsPerSecond: number }): RateLimits {
  const { clock } = options
  const keys = createBuckets(clock)
  const strangers = createBuckets(clock)
  const ofStrangers = {
    perSecond: rateLimits.refusedPerMinute / 60,
    size: rateLimits.refusedPerMinute,
  }
  return {
    spend(keyId, requestsPerSecond) {
      const perSecond = requestsPerSecond ?? options.requestsPerSecond
      const size = Math.max(1, Math.ceil(perSecond * rateLimits.burstSeconds))
      const { left, waitMs } = keys.take(keyId, { perSecond, size }, 1)
      return { limit: size, remaining: Math.floor(left), waitMs }
    },
    refused: (address) => void strangers.take(address, ofStrangers, 1),
    refusedTooOften: (address) => strangers.take(address, ofStrangers, 0).waitMs,
  }
}

type Bucket = { left: number; atMs: number }
type Rate = { perSecond: number; size: number }

/** The one that was used longest ago goes first: by then it is full again, or its owner is one of ten thousand. */
function createBuckets(clock: Clock) {
  const buckets = new Map<string, Bucket>()
  return {
    /** Takes nothing when less than that, or less than one, is left. */
    take(
      name: string,
      { perSecond, size }: Rate,
      tokens: number,
    ): { left: number; waitMs: number } {
      const nowMs = clock()
      const before = buckets.get(name) ?? { left: size, atMs: nowMs }
      // Set back, the clock would fill nothing until it is where it was.
      before.atMs = Math.min(before.atMs, nowMs)
      const since = (nowMs - before.atMs) / 1000
      const filled = Math.min(size, before.left + since * perSecond)
      // To a thousandth of a millisecond: sums of fractions are not exact.
      const waitMs = Math.ceil(((1 - filled) / perSecond) * 1000 - 0.001)
      if (waitMs > 0) return { left: filled, waitMs }
      const left = filled - tokens
      if (tokens > 0) {
        buckets.delete(name)
        buckets.set(name, { left, atMs: nowMs })
        if (buckets.size > rateLimits.bucketsMax) buckets.delete(firstOf(buckets))
      }
      return { left, waitMs: 0 }
    },
  }
}

function firstOf(map: Map<string, unknown>): string {
  for (const name of map.keys()) return name
  return ''
}
