// What readiness and doctor ask: small facts that the loops leave here.
import { statfs } from 'node:fs/promises'
import { bankBookLimits } from './banks/bank-book.ts'
import { ask } from './db/client.ts'
import type { Parts } from './service.ts'

export type Health = {
  /** Why the ledger stopped; undefined while it works. */
  ledgerFault: string | undefined
  leadsFirehose: boolean
  leadsLedger: boolean
  /** Intake is stopped because the disk is low. */
  diskLow: boolean
  intakeAllowed(): boolean
  checks: Record<string, () => Promise<{ ok: boolean; note?: string }>>
}

/** A bank change must be in force within a second; readiness is lost well after that. */
const indexStaleMs = 10_000 + bankBookLimits.pollMs

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
      index: async () => {
        const ageMs = parts.clock() - parts.bankBook.freshAtMs()
        return ageMs < indexStaleMs ? { ok: true } : { ok: false, note: 'the bank index is stale' }
      },
      ledger: async () =>
        health.ledgerFault === undefined
          ? { ok: true }
          : { ok: false, note: `the ledger stopped: ${health.ledgerFault}` },
      disk: async () =>
        health.diskLow ? { ok: false, note: 'the disk is low: intake is stopped' } : { ok: true },
    },
  }
  return health
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
