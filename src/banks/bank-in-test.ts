// Banks in a database of their own, for tests of this room that need no index and no scan.
import { createHash } from 'node:crypto'
import type { BankClass, BankPolicy, Mode } from '../domain/bank.ts'
import { principalId } from '../steps/withdraw.ts'
import { testDatabase } from '../testing/database.ts'
import { addContent, createBank } from './bank-store.ts'
import type { NewSignal } from './new-signal.ts'

export const startMs = Date.parse('2026-11-21T12:00:00.000Z')
export const dayMs = 86_400_000

export async function createBanks(context: { after(clean: () => Promise<void>): void }) {
  const database = await testDatabase(context)
  const db = database.app
  const person = (name: string, kind: 'person' | 'service' = 'person') =>
    principalId(db, { kind, name, nowMs: startMs })
  const principal = await person('erin')
  return {
    database,
    db,
    person,
    principal,
    async bank(
      name: string,
      input: {
        mode?: Mode
        class?: BankClass
        confidential?: boolean
        policy?: Partial<BankPolicy>
      } = {},
    ): Promise<number> {
      const { mode = 'act', class: bankClass = 'restricted' } = input
      const given = { ...input, name, mode, class: bankClass, principal, nowMs: startMs }
      return (await createBank(db, given)).bank
    },
    async content(bank: string, signals: NewSignal[]): Promise<number> {
      return (await addContent(db, { bank, signals, principal, nowMs: startMs })).content
    },
    /** The passes over stored signals that wait, oldest first: what each looks at. */
    async passes(): Promise<object[]> {
      const rows = await db<{ detail: object }[]>`
        select detail from job where kind = 'rematch' order by key`
      return rows.map((row) => row.detail)
    },
    async notes(): Promise<{ type: string; actor: object; pub: Record<string, unknown> }[]> {
      return database.owner`select type, actor, pub from ledger_intake order by id`
    },
  }
}

export type Banks = Awaited<ReturnType<typeof createBanks>>

export function sha256Of(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}
