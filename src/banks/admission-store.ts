// Admissions in the database. An admission lets one content in, once, and only with the signals it was made for.
import type { Database } from '../db/client.ts'
import { callStep } from '../db/client.ts'
import type { AdmissionResult, Verdict } from './admission.ts'
import type { NewSignal } from './new-signal.ts'

/** `signals`: of the content; absent for an import. */
export async function recordAdmission(
  db: Database,
  input: {
    bank: string
    kind: 'content' | 'import'
    verdict: Verdict
    result: AdmissionResult
    signals?: NewSignal[]
    principal: number
    nowMs: number
  },
): Promise<number> {
  const { nowMs, ...rest } = input
  return callStep(db, 'record_admission_v1', { ...rest, now: new Date(nowMs) })
}
