// When a host that said 429 may be asked again. RFC 9110 10.2.3 (Retry-After) and the reference PDS's RateLimit-Reset.
import type { FetchLimits } from './limits.ts'

/** Never earlier than our own floor, never later than our own ceiling, whatever the host says. */
export function waitUntil(headers: Headers, nowMs: number, limits: FetchLimits): number {
  const asked = retryAfter(headers.get('retry-after'), nowMs) ?? reset(headers, nowMs) ?? nowMs
  const floorMs = nowMs + Math.min(1000, limits.retryAfterMs)
  return Math.min(Math.max(asked, floorMs), nowMs + limits.retryAfterMsMax)
}

function retryAfter(value: string | null, nowMs: number): number | undefined {
  if (value === null) return undefined
  if (/^\d{1,9}$/.test(value.trim())) return nowMs + Number(value) * 1000
  const dateMs = Date.parse(value)
  return Number.isNaN(dateMs) ? undefined : dateMs
}

/** The reference PDS gives unix seconds; the IETF draft gives seconds from now. The two cannot be mistaken. */
function reset(headers: Headers, nowMs: number): number | undefined {
  const value = headers.get('ratelimit-reset')?.trim() ?? ''
  if (!/^\d{1,12}$/.test(value)) return undefined
  const seconds = Number(value)
  return seconds > 1_000_000_000 ? seconds * 1000 : nowMs + seconds * 1000
}
