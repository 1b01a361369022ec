// ledger: verify it, read it, copy it; and go on after a loss.
import type { Command } from 'commander'
import type { Io } from './io.ts'
import { addLedgerExport } from './ledger-export.ts'
import { addLedgerKey } from './ledger-key.ts'
import { addLedgerLog } from './ledger-log.ts'
import { addLedgerSigner } from './ledger-signer.ts'
import { addLedgerProve } from './ledger-prove.ts'
import { addLedgerReceipt } from './ledger-receipt.ts'
import { addLedgerRecover } from './ledger-recover.ts'
import { addLedgerVerify } from './ledger-verify.ts'
import { addLedgerWitness } from './ledger-witness.ts'

export function addLedger(program: Command, io: Io): void {
  const command = program
    .command('ledger')
    .description('the record of what was decided and done: verify, read, export, sign, recover')
  addLedgerVerify(command, io)
  addLedgerLog(command, io)
  addLedgerExport(command, io)
  addLedgerProve(command, io)
  addLedgerReceipt(command, io)
  addLedgerRecover(command, io)
  addLedgerKey(command, io)
  addLedgerSigner(command, io)
  addLedgerWitness(command, io)
}
