// import: everything that another system holds comes in at once. A single list is brought in by bank import.
import type { Command } from 'commander'
import { addImportHma } from './import-hma.ts'
import type { Io } from './io.ts'

export function addImport(program: Command, io: Io): void {
  addImportHma(
    program
      .command('import')
      .description('what another system holds, with its numbers: from HMA (one list: bank import)'),
    io,
  )
}
