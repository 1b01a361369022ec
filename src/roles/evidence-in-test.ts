// The small world with a vault: pictures in a bank that asks for evidence, rows and entries to look at.
import { vaultInTest } from '../evidence/vault-in-test.ts'
import { createWorld } from '../testing/world.ts'
import { principalId } from '../steps/withdraw.ts'
import { sweepEvidence } from './evidence-clocks.ts'

export type EvidenceRow = {
  id: number
  account: number
  case_file: number
  state: string
  facts: Record<string, unknown>
  sealed_object: string
  working_object: string
  reason: string | null
}

export type EvidenceWorld = Awaited<ReturnType<typeof evidenceWorld>>

export async function evidenceWorld(context: { after(clean: () => Promise<void>): void }) {
  const vault = await vaultInTest()
  const world = await createWorld(context, { vault: vault.vault })
  await world.bank('BAD', { policy: { preserve: true } })
  const { owner } = world.database
  const failures: unknown[] = []
  return Object.assign(world, {
    ...vault,
    failures,
    rows: () => owner<EvidenceRow[]>`select * from evidence order by id`,
    caseState: (number: number, state: string) =>
      owner`update case_file set state = ${state}, decided_at = ${new Date(world.clock())} where id = ${number}`,
    holdAccount: (account: number) => owner`
      insert into legal_hold (account, reason, principal, at)
      values (${account}, 'letter', ${world.principal}, now())`,
    liftHolds: () => owner`update legal_hold set lifted_at = now()`,
    person: (name: string) => principalId(world.db, { kind: 'person', name, nowMs: world.clock() }),
    sweep: () =>
      sweepEvidence({
        db: world.db,
        store: vault.store,
        nowMs: world.clock(),
        signal: new AbortController().signal,
        onFailed: (error) => void failures.push(error),
      }),
    /** The entries of one type, oldest first. */
    async entries(type: string) {
      await world.sequence()
      const { documents, faults } = await world.ledger()
      if (faults.length > 0) throw new Error('the ledger does not hold')
      return documents.filter((document) => document.type === type)
    },
  })
}
