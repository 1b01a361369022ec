import { RetryableError } from '../domain/errors.ts'

/** For long work that goes on where it was: throws why it was stopped. */
export function stopIfAsked(signal: AbortSignal): void {
  if (!signal.aborted) return
  if (signal.reason instanceof RetryableError) throw signal.reason
  throw new RetryableError('stopped; the same command goes on')
}
