// The three kinds of thrown errors. What we expect from outside is a value, not an error.

/** Worth another try later: the world was not ready. */
export class RetryableError extends Error {
  override name = 'RetryableError'
}

/** No try will ever help; the caller settles it and goes on. */
export class PermanentError extends Error {
  override name = 'PermanentError'
}

/** Our own state is wrong or unknown. The process stops; going on would make it worse. */
export class FatalError extends Error {
  override name = 'FatalError'
}

/** What a person typed or configured is wrong. Shown as a sentence without a stack; exit code 2. */
export class UsageError extends Error {
  override name = 'UsageError'
}

export function errorMessage(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
