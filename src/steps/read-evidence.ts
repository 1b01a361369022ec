// Reading evidence: noted with who and why, entered, and only then opened. Nothing here writes a byte anywhere.
//
// Promises: no byte of a copy is given out before its entry is in the ledger; a ledger that does not move gives nothing.
import { createHash, randomUUID } from 'node:crypto'
import type { Database } from '../db/client.ts'
import { PermanentError } from '../domain/errors.ts'
import type { EvidenceStore } from '../domain/ports.ts'
import { noteAndWait } from './note-and-wait.ts'

export type ReadRequest = {
  evidence: number
  /** opened: the working copy. exported: the sealed copy as it is. */
  verb: 'opened' | 'exported'
  principal: number
  /** Kept sealed behind the entry. */
  reason: string
  nowMs: number
  signal: AbortSignal
  waitMs?: number
}

/**
 * Waits for the entry. Throws UsageError when the copy is destroyed or its evidence unknown, RetryableError while the
 * ledger does not move.
 */
export async function noteEvidenceRead(db: Database, request: ReadRequest): Promise<void> {
  const { evidence, verb, principal, reason, nowMs, signal, waitMs } = request
  await noteAndWait(db, {
    step: 'note_evidence_read_v1',
    payload: { evidence, verb, principal, reason, now: new Date(nowMs) },
    idem: `evidence.${verb}:${evidence}:${randomUUID()}`,
    signal,
    ...(waitMs !== undefined && { waitMs }),
  })
}

/** Still encrypted. Throws PermanentError when it is not there, or is not what was written down. */
export async function fetchCopy(
  store: EvidenceStore,
  copy: { object: string; bytes: number; sha256: string },
  signal: AbortSignal,
): Promise<Uint8Array> {
  const bytes = await store.get(copy.object, signal)
  if (bytes === undefined) throw new PermanentError('the copy is not in the store')
  const sha256 = createHash('sha256').update(bytes).digest('hex')
  if (bytes.length !== copy.bytes || sha256 !== copy.sha256)
    throw new PermanentError('the copy in the store is not what was put there')
  return bytes
}
