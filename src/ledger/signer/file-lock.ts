// A lock that one holder has at a time, among all processes of the machine and within one.
//
// It is a lock of the kernel (fcntl, which SQLite takes for us) on an empty file: it ends with its process however that
// dies, so there is no stale lock, no process id that somebody else has by now, and nothing to clean up after kill -9.
// It also holds between containers that share the folder, which a socket's name would not. It needs a local disk.
import { setTimeout as sleep } from 'node:timers/promises'
import { DatabaseSync } from 'node:sqlite'
import { RetryableError } from '../../domain/errors.ts'

export const lockLimits = { waitMs: 5_000, askEveryMs: 10 } as const

/** Disposing gives it back. undefined: somebody else has it all that time. Throws RetryableError when the file cannot be locked. */
export async function lockFile(
  path: string,
  options: { waitMs?: number } = {},
): Promise<Disposable | undefined> {
  const untilMs = performance.now() + (options.waitMs ?? lockLimits.waitMs)
  const file = open(path)
  for (;;) {
    try {
      file.exec('begin exclusive')
      return { [Symbol.dispose]: () => file.close() }
    } catch (error) {
      if (!isTaken(error) || performance.now() >= untilMs) {
        file.close()
        if (isTaken(error)) return undefined
        throw new RetryableError(`${path} cannot be locked: ${reasonOf(error)}`, { cause: error })
      }
    }
    await sleep(lockLimits.askEveryMs)
  }
}

function open(path: string): DatabaseSync {
  try {
    // Waiting inside SQLite would stop this whole process.
    return new DatabaseSync(path, { timeout: 0 })
  } catch (error) {
    throw new RetryableError(`${path} cannot be opened for locking`, { cause: error })
  }
}

/** SQLite's own words for its code: `database or disk is full`. */
function reasonOf(error: unknown): string {
  return error instanceof Error && 'errstr' in error ? String(error.errstr) : 'unknown'
}

/** SQLITE_BUSY or SQLITE_LOCKED. */
function isTaken(error: unknown): boolean {
  return (
    error instanceof Error && 'errcode' in error && (error.errcode === 5 || error.errcode === 6)
  )
}
