// What the commands that serve with a key share: making the key, reading a checkpoint, and telling of errors.
import { readFile } from 'node:fs/promises'
import { FatalError, UsageError, errorMessage } from '../domain/errors.ts'
import { formatVerifierKey } from '../ledger/note/key.ts'
import { makeKeyFile } from '../ledger/signer/key-file.ts'
import type { Io } from './io.ts'
import { printJson } from './output.ts'

export async function readNote(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (cause) {
    throw new UsageError(`${file} cannot be read`, { cause })
  }
}

export async function makeKey(
  io: Io,
  options: { name: string; type: 'log' | 'witness'; file: string; json: boolean },
): Promise<void> {
  const key = await makeKeyFile(options.file, options.name, options.type)
  if (key === undefined) throw new UsageError(`${options.file} is there already and stays`)
  const verifierKey = formatVerifierKey(key.verifier)
  if (options.json) printJson(io, { file: options.file, verifierKey })
  else {
    io.out(verifierKey)
    io.err(`The private key is in ${options.file}: whoever can read it can sign. Keep a copy.`)
  }
}

/** To stderr, with the code of what is behind it (ENOSPC), which says what to do. */
export function tellError(io: Io, who: string, error: unknown): void {
  const cause = error instanceof Error && !(error instanceof FatalError) ? error.cause : undefined
  const code = cause instanceof Error && 'code' in cause ? ` (${String(cause.code)})` : ''
  io.err(`${who}: ${errorMessage(error)}${code}`)
}
