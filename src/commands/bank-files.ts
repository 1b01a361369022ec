// The signals that a file gives to a bank.
import type { NewSignal } from '../banks/new-signal.ts'
import { signalsOfHash } from '../banks/signals-of-hash.ts'
import { UsageError } from '../domain/errors.ts'
import type { Hasher } from '../domain/ports.ts'
import type { Io } from './io.ts'
import { hashFile } from './read-blob.ts'

export async function signalsOfFile(
  io: Io,
  hasher: Hasher,
  file: string,
): Promise<{ signals: NewSignal[]; leftOut?: string }> {
  const hashed = await hashFile(io, hasher, file)
  if (!('signals' in hashed)) throw new UsageError(`${file} is larger than a blob may be`)
  if (hashed.unscannable === 'empty') throw new UsageError(`${file} is empty`)
  return signalsOfHash(hashed)
}
