// The command line: `npm run blobwatch -- VERB`. Every verb is a file here; this one is their inventory.
import { Command } from 'commander'
import { version } from '../version.ts'
import type { Io } from './io.ts'
import { addPause } from './pause.ts'
import { addServe } from './serve.ts'

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
  addServe(program, io)
  addPause(program, io)
  return program
}
