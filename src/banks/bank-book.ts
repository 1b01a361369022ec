// The banks as this process knows them, kept up to date from the database: policies here, signals in the index.
//
// Promises: a change is in force within `pollMs` after it was committed; when the database is away, what was known stays
// and `staleSince` says since when. After a crash it is read anew.
import type { Bank, BankSignal } from '../domain/bank.ts'
import type { Database } from '../db/client.ts'
import type { Clock } from '../domain/ports.ts'
import { readForIndex } from './bank-store.ts'

export const bankBookLimits = { pollMs: 200 } as const

export type ChangedContent = {
  id: number
  bankId: number
  disableUntilTs: number
  removed: boolean
  signals: BankSignal[]
}

export type BankBook = {
  banks: () => ReadonlyMap<number, Bank>
  /** Milliseconds since 1970 of the last successful look. */
  freshAtMs(): number
  /** Looks once; the first look reads everything. */
  refresh(): Promise<void>
}

export function createBankBook(options: {
  db: Database
  clock: Clock
  apply: (change: {
    generation: number
    contents: ChangedContent[]
    pdqDistanceMax: ReadonlyMap<number, number>
  }) => void
}): BankBook {
  let banks: ReadonlyMap<number, Bank> = new Map()
  let generation = 0
  let freshAtMs = 0
  return {
    banks: () => banks,
    freshAtMs: () => freshAtMs,
    async refresh() {
      const read = await readForIndex(options.db, generation)
      if (read !== undefined) {
        const pdqDistanceMax = new Map(
          [...read.banks].map(([id, bank]) => [id, bank.policy.pdqDistanceMax] as const),
        )
        options.apply({ generation: read.generation, contents: read.contents, pdqDistanceMax })
        banks = read.banks
        generation = read.generation
      }
      freshAtMs = options.clock()
    },
  }
}
