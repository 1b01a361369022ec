/**
 * How long ago a process noted something, by a clock that may be set back meanwhile. Then it was long ago: what is kept for
 * a second is read anew, and nothing stays for the hours that the clock lost.
 */
export function msSince(thenMs: number, nowMs: number): number {
  return nowMs < thenMs ? Infinity : nowMs - thenMs
}
