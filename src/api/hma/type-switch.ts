// Signal types that HMA's clients may switch off, for this interface: scans follow the banks' own policies.
//
// Promises: a change is in force in every process a second later; the database is asked once a second at most. While it is away
// or says nothing for two seconds, what was known goes on.
import { ask, callStep, inTime } from '../../db/client.ts'
import type { Database } from '../../db/client.ts'
import { msSince } from '../../domain/ms-since.ts'
import type { Clock } from '../../domain/ports.ts'
import type { Author } from './bank-facts.ts'

export const switchFreshMs = 1_000
/** How long a lookup waits for the database where something is known. */
export const switchReadMs = 2_000

export type TypeSwitch = {
  /** Name -> 0 to 1, of those that somebody set; 0: off, anything else is on. */
  ratios(): Promise<ReadonlyMap<string, number>>
  /** The names that are off. */
  off(): Promise<ReadonlySet<string>>
  set(change: { name: string; ratio: number } & Author): Promise<void>
}

export function createTypeSwitch({ db, clock }: { db: Database; clock: Clock }): TypeSwitch {
  let known: { readMs: number; ratios: Promise<ReadonlyMap<string, number>> } | undefined
  const ratios = () => {
    const before = known
    if (before !== undefined && msSince(before.readMs, clock()) < switchFreshMs)
      return before.ratios
    const fresh = before === undefined ? readRatios(db) : readOr(before.ratios, db)
    known = { readMs: clock(), ratios: fresh }
    // Without anything known before, the next one asks again.
    fresh.catch(() => (known = undefined))
    return fresh
  }
  return {
    ratios,
    async off() {
      const all = [...(await ratios())]
      return new Set(all.filter(([, ratio]) => ratio === 0).map(([name]) => name))
    },
    async set({ name, ratio, principal, nowMs }) {
      const payload = { name, ratio, principal, now: new Date(nowMs) }
      await callStep(db, 'set_hma_signal_type_v1', payload)
      known = undefined
    },
  }
}

async function readRatios(db: Database): Promise<ReadonlyMap<string, number>> {
  const rows = await ask(
    'read the signal types that are switched',
    db<{ name: string; ratio: number }[]>`
      select name, enabled_ratio as ratio from hma_signal_type`,
  )
  return new Map(rows.map(({ name, ratio }) => [name, ratio]))
}

/** `before`: what counts where the database is away or says nothing. */
async function readOr(
  before: Promise<ReadonlyMap<string, number>>,
  db: Database,
): Promise<ReadonlyMap<string, number>> {
  try {
    return await inTime(readRatios(db), 'read the signal types that are switched', switchReadMs)
  } catch {
    return before
  }
}
