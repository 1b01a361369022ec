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

export function exitCodeOf(error: unknown): number {
  if (error instanceof UsageError) return exitCodes.usage
  if (error instanceof RetryableError) return exitCodes.tryLater
  if (error instanceof FatalError) return exitCodes.internal
  return isCommanderExit(error) ? error.exitCode : exitCodes.internal
}

function isCommanderExit(error: unknown): error is { exitCode: number } {
  return error instanceof Error && 'exitCode' in error && typeof error.exitCode === 'number'
}
