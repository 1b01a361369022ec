// A file of results: whole, or not there.
import { open, rm } from 'node:fs/promises'
import { RetryableError, UsageError, errorMessage } from '../domain/errors.ts'

export type NewFile = AsyncDisposable & {
  /** Throws RetryableError where the disk takes no more. */
  write(text: string): Promise<void>
  /** It is complete. Disposed without this, it is removed. */
  keep(): Promise<void>
}

/** Only its owner may read it. Throws UsageError where one is already. */
export async function newFile(path: string): Promise<NewFile> {
  const file = await open(path, 'wx', 0o600).catch((cause: unknown) => {
    throw new UsageError(`${path} cannot be made: is there such a file already?`, { cause })
  })
  let isKept = false
  const orSay = async (work: Promise<void>) => {
    await work.catch((cause: unknown) => {
      throw new RetryableError(`${path} could not be written: ${errorMessage(cause)}`, { cause })
    })
  }
  return {
    // Not `write`: that may take a part only, and says so in its answer.
    write: (text) => orSay(file.appendFile(text)),
    async keep() {
      await orSay(file.sync())
      isKept = true
    },
    async [Symbol.asyncDispose]() {
      await file.close()
      if (!isKept) await rm(path)
    },
  }
}
