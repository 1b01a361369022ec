// The clocks of evidence: what is due goes, a small batch at a time; what a dead process left in the store goes too.
// Each destruction is marked first, done then, and entered last; a crash at any place is done again by the next sweep.
import type { Database } from '../db/client.ts'
import { PermanentError } from '../domain/errors.ts'
import type { EvidenceStore } from '../domain/ports.ts'
import {
  endEvidence,
  evidenceStepLimits,
  forgetPlans,
  orphanedPlans,
  takeEvidence,
} from '../steps/evidence.ts'
import type { GoingEvidence } from '../steps/evidence.ts'
import { crashPoint } from '../telemetry/crash-point.ts'

export type EvidenceSweep = { ended: { basis: string }[]; orphans: number }

export type EvidenceSweepOptions = {
  db: Database
  store: EvidenceStore
  nowMs: number
  signal: AbortSignal
  onFailed: (error: unknown) => void
}

export async function sweepEvidence(options: EvidenceSweepOptions): Promise<EvidenceSweep> {
  const ended: { basis: string }[] = []
  for (;;) {
    if (options.signal.aborted) return { ended, orphans: 0 }
    const going = await takeEvidence(options.db, options.nowMs)
    for (const one of going) {
      const result = await inStore(() => destroy(one, options), options)
      // The store is away: the rest is marked, and is tried again when the mark is old.
      if (result === 'away') return { ended, orphans: 0 }
      if (result === 'done') ended.push({ basis: one.basis })
    }
    if (going.length < evidenceStepLimits.batch) break
  }
  return { ended, orphans: await sweepOrphans(options) }
}

/** true: gone, and this call said so. */
async function destroy(
  { id, copies, sealed_object, working_object, working_there }: GoingEvidence,
  { db, store, nowMs, signal }: EvidenceSweepOptions,
): Promise<boolean> {
  const names = [
    ...(working_there ? [working_object] : []),
    ...(copies === 'both' ? [sealed_object] : []),
  ]
  let versionsKept = false
  for (const name of names) {
    const removed = await store.remove(name, signal)
    versionsKept ||= removed.versionsKept
  }
  crashPoint('evidence:removed')
  const method =
    store.kind === 'disk' ? 'file-removed' : versionsKept ? 's3-hidden-versions-kept' : 's3-deleted'
  return endEvidence(db, { evidence: id, method, nowMs })
}

async function sweepOrphans(options: EvidenceSweepOptions): Promise<number> {
  const { db, store, nowMs, signal } = options
  let swept = 0
  for (;;) {
    const plans = await orphanedPlans(db, nowMs)
    const gone: number[] = []
    for (const plan of plans) {
      const result = await inStore(async () => {
        await store.remove(plan.sealed_object, signal)
        await store.remove(plan.working_object, signal)
        return true
      }, options)
      if (result === 'away') break
      if (result === 'done') gone.push(plan.id)
    }
    if (gone.length > 0) await forgetPlans(db, gone)
    swept += gone.length
    // One that the store refuses for good would come first for ever.
    if (gone.length < evidenceStepLimits.batch) return swept
  }
}

/** `away`: no use in asking the store for the next one now. */
async function inStore(
  work: () => Promise<boolean>,
  { onFailed, signal }: EvidenceSweepOptions,
): Promise<'done' | 'not-done' | 'away'> {
  try {
    return (await work()) ? 'done' : 'not-done'
  } catch (error) {
    if (!signal.aborted) onFailed(error)
    return error instanceof PermanentError ? 'not-done' : 'away'
  }
}
