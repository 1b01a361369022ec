// Step dsa: what is said to the EU's transparency database about a bank. One statement with its ledger intake.
import type { Database } from '../db/client.ts'
import { callStep } from '../db/client.ts'
import type { DsaRule } from '../reports/dsa-rule.ts'

/** null: the defaults of the bank's class again. Throws UsageError when there is no such bank. */
export async function setBankDsa(
  db: Database,
  input: { bank: string; rule: DsaRule | null; principal: number; nowMs: number },
): Promise<void> {
  await callStep(db, 'set_bank_dsa_v1', {
    bank: input.bank,
    rule: input.rule,
    principal: input.principal,
    now: new Date(input.nowMs),
  })
}
