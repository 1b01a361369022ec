// Asks every part whether it can do its work. A late firehose is no reason to be taken out of service: such a part
// answers ok with a note. Checks run together, each within a time limit; many callers at once cost one round.
import { setTimeout as sleep } from 'node:timers/promises'
import { msSince } from '../domain/ms-since.ts'

export type CheckResult = {
  ok: boolean
  /** A short sentence for operators; never data. */ note?: string
}
export type ReadinessCheck = () => Promise<CheckResult>
export type Readiness = { ready: boolean; checks: Record<string, CheckResult> }

export const checkMs = 2_000
/** An answer this young is given again. */
export const readinessReuseMs = 1_000

export function createReadiness(options: {
  checks: Record<string, ReadinessCheck>
  clock: () => number
  limitMs?: number
}): () => Promise<Readiness> {
  const { checks, clock, limitMs = checkMs } = options
  let last: { atMs: number; answer: Promise<Readiness> } | undefined
  return () => {
    if (last === undefined || msSince(last.atMs, clock()) >= readinessReuseMs) {
      last = { atMs: clock(), answer: askAll(checks, limitMs) }
    }
    return last.answer
  }
}

async function askAll(checks: Record<string, ReadinessCheck>, limitMs: number): Promise<Readiness> {
  const answers = await Promise.all(
    Object.entries(checks).map(async ([name, check]) => [name, await ask(check, limitMs)] as const),
  )
  return {
    ready: answers.every(([, answer]) => answer.ok),
    checks: Object.fromEntries(answers),
  }
}

async function ask(check: ReadinessCheck, limitMs: number): Promise<CheckResult> {
  const stop = new AbortController()
  try {
    const late = sleep(limitMs, undefined, { signal: stop.signal }).then((): CheckResult => ({
      ok: false,
      note: `no answer within ${limitMs} ms`,
    }))
    // Aborting the timer below rejects it; by then nobody waits for it.
    late.catch(() => undefined)
    return await Promise.race([check(), late])
  } catch {
    // The check's own error may hold an address or a query; its owner logs it.
    return { ok: false, note: 'the check failed' }
  } finally {
    stop.abort()
  }
}
