// Every wait of the demo has a limit, and says what it waited for when it ends there.
import { setTimeout as sleep } from 'node:timers/promises'
import { errorMessage } from '../../domain/errors.ts'

export const waitLimits = { stepMs: 10_000, startMs: 40_000, pollMs: 100 } as const

/** Asks again until the answer is there. Throws with the sentence, and with what the last question ran into. */
export async function waitFor<T>(
  what: string,
  ask: () => Promise<T | undefined>,
  options: { signal: AbortSignal; gone: () => string | undefined; limitMs?: number },
): Promise<T> {
  const limitMs = options.limitMs ?? waitLimits.stepMs
  const endMs = performance.now() + limitMs
  let trouble = ''
  while (performance.now() < endMs) {
    options.signal.throwIfAborted()
    const gone = options.gone()
    if (gone !== undefined) throw new Error(`${what}: ${gone}`)
    try {
      const answer = await ask()
      if (answer !== undefined) return answer
      trouble = ''
    } catch (error) {
      trouble = `; last trouble: ${errorMessage(error)}`
    }
    await sleep(waitLimits.pollMs, undefined, { signal: options.signal })
  }
  throw new Error(`${what}: not within ${limitMs / 1000} s${trouble}`)
}

/** Ends the step as not held; `seen` is what was there instead. */
export function check(holds: boolean, seen: string): asserts holds {
  if (!holds) throw new Error(seen)
}
