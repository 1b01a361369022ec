// export: everything goes to another system at once. A single list is written out by bank export.
import type { Command } from 'commander'
import { addExportHma } from './export-hma.ts'
import type { Io } from './io.ts'

export function addExport(program: Command, io: Io): void {
  addExportHma(
    program
      .command('export')
      .description('what another system takes: to HMA (one list: bank export)'),
    io,
  )
}
