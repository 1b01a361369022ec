// The worker: leases scan jobs, walks each through the pipeline, settles it.
import { setTimeout as sleep } from 'node:timers/promises'
import { RetryableError } from '../domain/errors.ts'
import { isLowQuality } from '../domain/stored-signals.ts'
import { scanBlob } from '../pipeline.ts'
import { preserve } from './preserve.ts'
import type { PreserveOptions } from './preserve.ts'
import { claimScans, settle } from '../steps/scan.ts'
import type { ScanJob, SettleInput, Settled } from '../steps/scan.ts'
import type { Telemetry } from '../telemetry/events.ts'

export type ScanRoleOptions = PreserveOptions & {
  telemetry: Telemetry
  onSettled: (settled: Settled) => void
}

/** A deadlock or a lost connection: the statement had no effect or the lease tells; the job is ours to settle again. */
const settleTries = 4
const settleAgainMs = 100
/** How long a job waits for a part of ours that could not work. */
const partAwayMs = 5_000

export async function claimScanWork(options: ScanRoleOptions, limit: number): Promise<ScanJob[]> {
  return claimScans(options.db, { limit, nowMs: options.clock() })
}

export async function scan(
  job: ScanJob,
  options: ScanRoleOptions,
  signal: AbortSignal,
): Promise<void> {
  const startedMs = options.clock()
  const { input, settled } = await scanAndSettle(job, options, signal).catch((error: unknown) => {
    options.telemetry.requestEnded({ kind: 'scan', ms: options.clock() - startedMs, failed: true })
    throw error
  })
  options.onSettled(settled)
  if (settled.result !== 'lost' && 'found' in input && input.evidence !== undefined) {
    const { kept, missed } = input.evidence
    const reasons = missed.map((one) => one.reason)
    options.telemetry.evidenceSettled({ kept: kept.length, missed: reasons })
  }
  if (settled.result !== 'settled' || !('found' in input)) return
  const { found } = input
  options.telemetry.scanSettled({
    verdict: found.verdict,
    matchedTypes: found.matches.map((match) => match.type),
    setAside: (found.setAside ?? []).map((match) => match.by),
    lowQuality: isLowQuality(found.signals),
    ms: options.clock() - startedMs,
  })
  for (const { decision } of found.decisions) {
    options.telemetry.matchDecided({
      outcome:
        decision.outcome === 'acted' ? 'act' : decision.outcome === 'held' ? 'hold' : 'observe',
      actions: decision.outcome === 'acted' ? decision.wants.length : 0,
      ...(settled.case_file !== null && { caseNumber: settled.case_file }),
    })
  }
}

async function scanAndSettle(
  job: ScanJob,
  options: ScanRoleOptions,
  signal: AbortSignal,
): Promise<{ input: SettleInput; settled: Settled }> {
  const input = await scanOrFree(job, options, signal)
  return { input, settled: await settleAgain(input, options) }
}

/**
 * When this process stops in the middle, or a part of it cannot work now (no decoder child, an index that cannot be
 * read), the job is freed instead of counting as a crash: it says nothing about the blob.
 */
async function scanOrFree(
  job: ScanJob,
  options: ScanRoleOptions,
  signal: AbortSignal,
): Promise<SettleInput> {
  const freed: SettleInput = {
    job,
    tries: [],
    nowMs: options.clock(),
    deferred: { untilMs: options.clock(), reason: 'timeout' },
  }
  try {
    const input = await preserve(await scanBlob(job, options, signal), options, signal)
    return signal.aborted && !('found' in input) ? freed : input
  } catch (error) {
    if (signal.aborted) return freed
    if (!(error instanceof RetryableError)) throw error
    options.telemetry.failed({ kind: 'scan', error })
    const untilMs = options.clock() + partAwayMs
    return { ...freed, deferred: { untilMs, reason: 'timeout' } }
  }
}

async function settleAgain(input: SettleInput, options: ScanRoleOptions): Promise<Settled> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await settle(options.db, input)
    } catch (error) {
      if (!(error instanceof RetryableError) || tries >= settleTries) throw error
      await sleep(settleAgainMs * 4 ** tries)
    }
  }
}
