// Something that may be shown only once the ledger says that it was: noted first, and waited for until it is an entry.
//
// Promises: returns only when the intake row became an entry; while the ledger does not move it throws, and the caller
// releases nothing. A crash in between leaves an entry about something that was not shown, never the other way round.
import { setTimeout as sleep } from 'node:timers/promises'
import type { Database } from '../db/client.ts'
import { ask, callStep } from '../db/client.ts'
import { RetryableError } from '../domain/errors.ts'
import { crashPoint } from '../telemetry/crash-point.ts'

export const noteWaitLimits = { waitMs: 15_000, pollMs: 100 } as const

/**
 * `step` writes one intake row whose idempotency key is `idem`, and answers with rows, which are handed on.
 * Throws RetryableError when no entry came within `waitMs` or the signal aborted: the note stays and may still become one.
 */
export async function noteAndWait<Row>(
  db: Database,
  input: {
    step: string
    payload: Record<string, unknown>
    idem: string
    signal: AbortSignal
    waitMs?: number
  },
): Promise<Row[]> {
  const { step, payload, idem, signal, waitMs = noteWaitLimits.waitMs } = input
  const rows = await callStep<Row[]>(db, step, { ...payload, idem })
  crashPoint('note:after')
  const untilMs = performance.now() + waitMs
  // The sequencer deletes the row in the statement that makes the entry, and nothing else deletes it.
  while (await isWaiting(db, idem)) {
    if (signal.aborted || performance.now() >= untilMs) {
      throw new RetryableError(
        'it was noted, and the ledger has made no entry of it yet: nothing is released. Is the service running? (doctor)',
      )
    }
    await sleep(noteWaitLimits.pollMs, undefined, { signal }).catch(() => undefined)
  }
  return rows
}

async function isWaiting(db: Database, idem: string): Promise<boolean> {
  const [row] = await ask(
    'look whether the ledger has it',
    db<
      { waits: boolean }[]
    >`select exists (select from ledger_intake where idem = ${idem}) as waits`,
  )
  return row?.waits !== false
}
