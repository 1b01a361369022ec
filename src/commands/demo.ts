// demo: all of it on this machine in half a minute: a real PDS and PLC, Blobwatch beside them, harmless pictures.
import type { Command } from 'commander'
import type { Io } from './io.ts'

export type DemoOptions = { keep?: boolean; json?: boolean }

export function addDemo(program: Command, io: Io): void {
  program
    .command('demo')
    .description('show what it does: a real PDS on this machine, harmless pictures, no setting')
    .option('--keep', 'leave everything running at the end, until ctrl-C')
    .option('--json', 'print the result as JSON')
    .action(async (options: DemoOptions) => {
      // Loaded here only: no other command has use for it.
      const { runDemo } = await import('./demo/run-demo.ts')
      await runDemo(io, options)
    })
}
