import { setTimeout as wait } from 'node:timers/promises'

/** 0.5 s, 1 s, 2 s … 30 s, each shortened by up to a half at random so that many do not come back at once. */
export const backoffMsMin = 500
export const backoffMsMax = 30_000

export function backoffMs(attempt: number, random: () => number): number {
  const full = Math.min(backoffMsMax, backoffMsMin * 2 ** Math.min(attempt, 16))
  return full * (1 - random() / 2)
}

/** True after the time, false as soon as the signal says stop. */
export async function sleep(ms: number, signal: AbortSignal): Promise<boolean> {
  try {
    await wait(ms, undefined, { signal })
    return true
  } catch {
    return false
  }
}
