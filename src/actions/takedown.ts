// Puts a takedown in force, or takes ours back, and says what the other side then reports. It asks before it sends,
// so a second run after a crash ends the same way, and what somebody else took down stays theirs.
import { PermanentError, RetryableError, errorMessage } from '../domain/errors.ts'
import type { RemoteSubject, SendOutcome, SubjectStatus, TakedownPort } from '../domain/ports.ts'
import { NotNowError, RefusedError } from './refusal.ts'

export const foreignRefCharsMax = 100

export type TakedownRequest = {
  port: TakedownPort
  subject: RemoteSubject
  /** false: a reversal. */
  applied: boolean
  /** The case reference that marks a takedown as ours; a reversal names the reference that it takes back. */
  ref: string
  signal: AbortSignal
}

/** Idempotent. Throws only what is no answer of the other side: a fault of ours. */
export async function applyTakedown(request: TakedownRequest): Promise<SendOutcome> {
  try {
    const { port, subject, applied, ref, signal } = request
    const before = await port.status(subject, signal)
    const settled = applied ? standsAlready(before, ref) : reversedAlready(before, ref)
    if (settled !== undefined) return settled
    await setUnlessUnknown(before, () => port.set(subject, { applied, ref }, signal))
    return readBack(await port.status(subject, signal), request)
  } catch (error) {
    return outcomeOf(error)
  }
}

/**
 * A subject that is not found is sent all the same: some hosts may know a status only once one was set, and an
 * upload may be arriving. The read-back decides.
 */
function standsAlready(before: SubjectStatus, ref: string): SendOutcome | undefined {
  if (before.kind === 'not-found' || !before.applied) return undefined
  if (before.ref === ref) return { kind: 'done', detail: { applied: true, already: true, ref } }
  const theirs = before.ref?.slice(0, foreignRefCharsMax)
  return {
    kind: 'done',
    detail: { applied: true, already: true, note: 'already-by-other', ...(theirs && { theirs }) },
  }
}

/**
 * The reference PDS answers 500 to a takedown in an account that it does not hold; without this it would look like
 * an outage and be sent again for days. The read-back then says whether the subject is there.
 */
async function setUnlessUnknown(before: SubjectStatus, set: () => Promise<void>): Promise<void> {
  try {
    await set()
  } catch (error) {
    const serverError = error instanceof NotNowError && error.reason === 'server-error'
    if (before.kind !== 'not-found' || !serverError) throw error
  }
}

function reversedAlready(before: SubjectStatus, ref: string): SendOutcome | undefined {
  // Deleted, or the PDS forgot the takedown with the last record: nothing of ours is in force.
  if (before.kind === 'not-found') {
    return { kind: 'done', detail: { applied: false, already: true, note: 'not-found' } }
  }
  if (!before.applied) return { kind: 'done', detail: { applied: false, already: true } }
  return before.ref === ref ? undefined : { kind: 'refused', reason: 'not-ours' }
}

function readBack(after: SubjectStatus, { applied, ref }: TakedownRequest): SendOutcome {
  if (after.kind === 'not-found') {
    return applied
      ? { kind: 'refused', reason: 'not-stored' }
      : { kind: 'done', detail: { applied: false, note: 'not-found' } }
  }
  if (after.applied !== applied) return { kind: 'retry', reason: 'not-in-force' }
  if (!applied) return { kind: 'done', detail: { applied: false } }
  // Somebody else wrote between our two calls: it is in force, but not ours to reverse.
  if (after.ref !== ref) {
    return { kind: 'done', detail: { applied: true, note: 'overwritten-by-other' } }
  }
  return { kind: 'done', detail: { applied: true, ref } }
}

function outcomeOf(error: unknown): SendOutcome {
  if (error instanceof RefusedError) {
    // The account is not on this host.
    return { kind: 'refused', reason: error.reason === 'not-found' ? 'not-stored' : error.reason }
  }
  if (error instanceof PermanentError) return { kind: 'refused', reason: errorMessage(error) }
  if (error instanceof NotNowError) {
    const { reason, afterMs } = error
    return { kind: 'retry', reason, ...(afterMs === undefined ? {} : { afterMs }) }
  }
  if (error instanceof RetryableError) return { kind: 'retry', reason: errorMessage(error) }
  throw error
}
