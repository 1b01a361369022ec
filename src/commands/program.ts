// The command line: `npm run blobwatch -- VERB`. Every verb is a file here; this one is their inventory.
import { Command } from 'commander'
import { version } from '../version.ts'
import { addDemo } from './demo.ts'
import type { Io } from './io.ts'
import { addAccount } from './account.ts'
import { addApproval } from './approval.ts'
import { addBackup } from './backup.ts'
import { addBank } from './bank.ts'
import { addCase } from './case.ts'
import { addCluster } from './cluster.ts'
import { addDoctor } from './doctor.ts'
import { addEvidence } from './evidence.ts'
import { addExchange } from './exchange.ts'
import { addExplain } from './explain.ts'
import { addExport } from './export.ts'
import { addFeedback } from './feedback.ts'
import { addGaps } from './gaps.ts'
import { addHash } from './hash.ts'
import { addHold } from './hold.ts'
import { addImport } from './import.ts'
import { addKey } from './key.ts'
import { addLedger } from './ledger.ts'
import { addLegalHold } from './legal-hold.ts'
import { addMatch } from './match.ts'
import { addMigrate } from './migrate.ts'
import { addObserve } from './observe.ts'
import { addShow } from './show.ts'
import { addUnscannable } from './unscannable.ts'
import { addPause } from './pause.ts'
import { addPlugin } from './plugin.ts'
import { addPolicy } from './policy.ts'
import { addReport } from './report.ts'
import { addRestore } from './restore.ts'
import { addReverse } from './reverse.ts'
import { addServe } from './serve.ts'
import { addShadow } from './shadow.ts'
import { addSimilar } from './similar.ts'
import { addUserReport } from './user-report.ts'

export function createProgram(io: Io): Command {
  const program = new Command('blobwatch')
    .description('Keeps known harmful media off the AT Protocol.')
    .version(version)
    .exitOverride((error) => {
      // Commander has told the person what is wrong already; --help and --version are no errors.
      io.setExitCode(error.exitCode === 0 ? 0 : 2)
      throw Object.assign(error, { exitCode: error.exitCode === 0 ? 0 : 2, message: '' })
    })
    .configureOutput({
      writeOut: (text) => io.out(text.trimEnd()),
      writeErr: (text) => io.err(text.trimEnd()),
    })
    .showHelpAfterError('(--help shows what there is)')
  program.helpCommand(false).commandsGroup('Running it:')
  addServe(program, io)
  addDemo(program, io)
  addMigrate(program, io)
  addDoctor(program, io)
  program.commandsGroup('Looking at media:')
  addHash(program, io)
  addMatch(program, io)
  addSimilar(program, io)
  addCluster(program, io)
  addBank(program, io)
  addExchange(program, io)
  addPlugin(program, io)
  addImport(program, io)
  addExport(program, io)
  program.commandsGroup('Deciding:')
  addCase(program, io)
  addHold(program, io)
  addApproval(program, io)
  addPause(program, io)
  addReverse(program, io)
  addFeedback(program, io)
  addUserReport(program, io)
  addShow(program, io)
  addEvidence(program, io)
  program.commandsGroup('Seeing what happened:')
  addExplain(program, io)
  addPolicy(program, io)
  addObserve(program, io)
  addUnscannable(program, io)
  addGaps(program, io)
  addLedger(program, io)
  addReport(program, io)
  program.commandsGroup('Personal data:')
  addAccount(program, io)
  addLegalHold(program, io)
  addBackup(program, io)
  addRestore(program, io)
  program.commandsGroup('Letting others in:')
  addKey(program, io)
  addShadow(program, io)
  return program
}
