// For the tests of checkpoints and of leaders: options without anchors, and a leader that looks before it appends.
import assert from 'node:assert/strict'
import type { Anchor } from '../ledger/anchor/anchor.ts'
import { parseVerifierKey } from '../ledger/note/key.ts'
import type { CheckpointOptions } from './checkpoint.ts'
import { logInTest } from './ledger-in-test.ts'
import type { LedgerInTest } from './ledger-in-test.ts'
import { vetLedger } from './vet-ledger.ts'

export const { signal } = new AbortController()
export const quiet = { warn() {}, info() {} }

export function optionsOf(
  ledger: LedgerInTest,
  change: Partial<CheckpointOptions> = {},
): CheckpointOptions {
  return {
    db: ledger.database.app,
    signer: ledger.signer,
    anchors: [],
    policy: undefined,
    clock: Date.now,
    log: quiet,
    onSigned: () => undefined,
    ...change,
  }
}

export const vet = async (ledger: LedgerInTest, anchors: Anchor[] = []) =>
  vetLedger(await ledger.lead(), {
    db: ledger.database.app,
    signer: ledger.signer,
    anchors,
    signal,
    log: quiet,
  })

export async function keyOf(ledger: LedgerInTest) {
  const key = parseVerifierKey(await ledger.signer.verifierKey(logInTest))
  assert.ok(typeof key !== 'string')
  return key
}
