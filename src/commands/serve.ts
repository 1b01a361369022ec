// serve: the service itself, until a signal.
import type { Command } from 'commander'
import type { Io } from './io.ts'

export function addServe(program: Command, io: Io): void {
  program
    .command('serve')
    .description('run the service (also without any command): follow, scan, decide, act, record')
    .action(async () => {
      // The whole service is loaded only here: every other verb starts without it.
      const { serve } = await import('./run-serve.ts')
      await serve(io)
    })
}
