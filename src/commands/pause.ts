// pause and resume: one command to stop, one to go on; in force for every process at once.
import type { Command } from 'commander'
import { bankNamed } from '../banks/bank-store.ts'
import { actionKinds } from '../domain/bank.ts'
import { UsageError } from '../domain/errors.ts'
import { setPaused } from '../steps/withdraw.ts'
import type { PauseScope } from '../steps/withdraw.ts'
import { withExamples } from './examples.ts'
import type { Io } from './io.ts'
import { printJson } from './output.ts'
import { withSession } from './session.ts'
import type { CommandSession } from './session.ts'

type PauseOptions = { bank?: string; kind?: string; reason?: string; json?: boolean }

export function addPause(program: Command, io: Io): void {
  for (const on of [true, false]) {
    const command = program
      .command(on ? 'pause' : 'resume')
      .description(
        on
          ? 'stop actions from leaving: all, those of one bank, or one kind; scanning and recording go on'
          : 'let actions go on; without an option everything that was paused',
      )
      .option('--bank <NAME>', 'only what this bank alone caused')
      .option('--kind <KIND>', `only one kind of action (${actionKinds.join(', ')})`)
      .option('--reason <TEXT>', 'why; it goes into the ledger')
      .option('--json', 'print the result as JSON')
      .action((options: PauseOptions) =>
        withSession(io, (session) => run(io, session, options, on)),
      )
    withExamples(
      command,
      on
        ? ['pause --reason "looking into case 7"', 'pause --bank SPAM', 'pause --kind label']
        : ['resume', 'resume --bank SPAM'],
    )
  }
}

async function run(
  io: Io,
  session: CommandSession,
  options: PauseOptions,
  on: boolean,
): Promise<void> {
  const scope = await parseScope(session, options)
  const changed = await setPaused(session.db, {
    ...scope,
    on,
    ...(options.reason !== undefined && { reason: options.reason }),
    principal: await session.principal(),
    nowMs: session.nowMs(),
  })
  const what = scope.scope === 'all' ? 'all actions' : (options.bank ?? options.kind ?? '')
  if (options.json === true)
    printJson(io, { scope: scope.scope, target: what, paused: on, changed })
  else if (changed)
    io.out(on ? `paused: ${what}. Nothing leaves until resume.` : `resumed: ${what}.`)
  else io.out(on ? `${what}: paused already.` : `${what}: nothing was paused.`)
}

async function parseScope(session: CommandSession, options: PauseOptions): Promise<PauseScope> {
  if (options.bank !== undefined && options.kind !== undefined) {
    throw new UsageError('--bank and --kind exclude each other: pause one after the other')
  }
  if (options.bank !== undefined)
    return { scope: 'bank', bank: (await bankNamed(session.db, options.bank)).id }
  if (options.kind === undefined) return { scope: 'all' }
  if (!actionKinds.some((kind) => kind === options.kind)) {
    throw new UsageError(`--kind is one of ${actionKinds.join(', ')}`)
  }
  return { scope: 'kind', kind: options.kind }
}
