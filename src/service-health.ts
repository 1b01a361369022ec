// What readiness and doctor ask: small facts that the loops leave here.
import { statfs } from 'node:fs/promises'
import { bankBookLimits } from './banks/bank-book.ts'
import type { BankBookStatus } from './banks/bank-book.ts'
import { ask } from './db/client.ts'
import type { CheckResult } from './http/readiness.ts'
import type { Parts } from './service.ts'

export type LedgerFault = { reason: string; untilMs: number }

export type Health = {
  /**
   * Why the ledger does not move here. It ends by itself where this process tries again: when another one leads in the
   * meantime, what was in the way here says nothing any more.
   */
  ledgerFault: LedgerFault | undefined
  leadsFirehose: boolean
  leadsLedger: boolean
  /** Intake is stopped because the disk is low. */
  diskLow: boolean
  intakeAllowed(): boolean
  checks: Record<string, () => Promise<{ ok: boolean; note?: string }>>
}

/** A bank change must be in force within a second; readiness is lost well after that. */
export const indexLimits = { staleMs: 10_000 + bankBookLimits.pollMs, behindMs: 5_000 } as const

export function createHealth(parts: Parts): Health {
  const health: Health = {
    ledgerFault: undefined,
    leadsFirehose: false,
    leadsLedger: false,
    diskLow: false,
    intakeAllowed: () => !health.diskLow,
    checks: {
      database: async () => {
        await ask('ask the database for a sign of life', parts.db`select 1`)
        return { ok: true }
      },
      index: async () => indexCheck(parts.bankBook.status(), parts.clock()),
      ledger: async () => ledgerCheck(health.ledgerFault, parts.clock()),
      disk: async () =>
        health.diskLow ? { ok: false, note: 'the disk is low: intake is stopped' } : { ok: true },
    },
  }
  return health
}

export function ledgerCheck(fault: LedgerFault | undefined, nowMs: number): CheckResult {
  return fault === undefined || nowMs >= fault.untilMs
    ? { ok: true }
    : { ok: false, note: `the ledger stopped: ${fault.reason}` }
}

/** Lookups are made all the same; what they do not know yet is the reason not to rely on this process. */
export function indexCheck(status: BankBookStatus, nowMs: number): CheckResult {
  const { loading, index, lookedAtMs, behindSinceMs, generation, head } = status
  const seconds = (ms: number) => `${Math.round(ms / 1000)} s`
  const notOk = (note: string) => ({ ok: false, note })
  if (index === undefined) return notOk('the bank signals are being read for the first time')
  if (loading) return notOk('all bank signals are being read again: the database was restored')
  if (nowMs - lookedAtMs >= indexLimits.staleMs)
    return notOk(`the banks were last looked at ${seconds(nowMs - lookedAtMs)} ago`)
  if (behindSinceMs !== undefined && nowMs - behindSinceMs >= indexLimits.behindMs) {
    const changes = head > generation ? `${head - generation} bank changes` : 'bank changes'
    const { pending } = index
    const waiting = pending > 0 ? `; ${pending} signals wait for a rebuild` : ''
    return notOk(
      `${changes} are not in the index after ${seconds(nowMs - behindSinceMs)}${waiting}`,
    )
  }
  return { ok: true }
}

/** Free bytes where the data lies; undefined where the system cannot say. */
export async function freeBytes(folder: string): Promise<number | undefined> {
  try {
    const { bavail, bsize } = await statfs(folder)
    return bavail * bsize
  } catch {
    return undefined
  }
}
