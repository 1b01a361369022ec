// How a host that we send to says no, or not now. `reason` is one of our own words: it goes to the ledger and the log.
import { PermanentError, RetryableError } from '../domain/errors.ts'

export type RefusalReason =
  'bad-credentials' | 'not-found' | 'redirected' | 'answer-too-large' | 'refused-by-host'

/** No later try will help until a person changes something. */
export class RefusedError extends PermanentError {
  override name = 'RefusedError'
  readonly reason: RefusalReason

  constructor(reason: RefusalReason, message: string, options?: ErrorOptions) {
    super(message, options)
    this.reason = reason
  }
}

export type NotNowReason =
  'rate-limited' | 'server-error' | 'network' | 'timeout' | 'bad-answer' | 'stopped'

/** Worth another try, not before `afterMs` from now where the other side named a time. */
export class NotNowError extends RetryableError {
  override name = 'NotNowError'
  readonly reason: NotNowReason
  readonly afterMs: number | undefined

  constructor(
    reason: NotNowReason,
    message: string,
    options?: ErrorOptions & { afterMs?: number },
  ) {
    super(message, options)
    this.reason = reason
    this.afterMs = options?.afterMs
  }
}
