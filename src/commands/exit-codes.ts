// What the exit code of a command means; docs/operating/commands.md tells the same.
import { FatalError, RetryableError, UsageError } from '../domain/errors.ts'

export const exitCodes = {
  ok: 0,
  /** The command worked and the answer is bad news: a check failed, a chain does not hold, a demo step did not. */
  notOk: 1,
  /** What was typed or configured is wrong. */
  usage: 2,
  /** Our own state is wrong or unknown; nothing was changed. */
  internal: 70,
  /** Something outside was not ready, mostly the database; the same command may work later. */
  tryLater: 75,
  interrupted: 130,
} as const

/** doctor alone: no check failed, but some could not be made. */
export const couldNotCheck = 2

export const exitCodeMeanings: Record<keyof typeof exitCodes, string> = {
  ok: 'The command did what was asked.',
  notOk:
    'The command worked and the answer is bad news: a check failed, the ledger does not hold, a compliance report does not add up, migrations are pending, or `match --exit-code` found something.',
  usage:
    'What was typed or configured is wrong; the message says what. For `doctor`: nothing failed, but some checks could not be made.',
  internal: 'Our own state is wrong or unknown. Nothing was changed.',
  tryLater:
    'Something outside was not ready, mostly the database. The same command may work later.',
  interrupted: 'Stopped by a second signal.',
}

export function exitCodeOf(error: unknown): number {
  if (error instanceof UsageError) return exitCodes.usage
  if (error instanceof RetryableError) return exitCodes.tryLater
  if (error instanceof FatalError) return exitCodes.internal
  return isCommanderExit(error) ? error.exitCode : exitCodes.internal
}

function isCommanderExit(error: unknown): error is { exitCode: number } {
  return error instanceof Error && 'exitCode' in error && typeof error.exitCode === 'number'
}
