// What a file of digests is to those who read it and to those who write the next one.
import type { FileHandle } from 'node:fs/promises'
import type { FileHeader } from './file-header.ts'
import type { SignalFile } from './file-format.ts'
import type { StoredFile } from './file-store.ts'

/** `starts`: the first record of each bucket, and one past the last. */
export type DigestStored = StoredFile & { starts: Uint32Array }

export type DigestFile = SignalFile & { handle: FileHandle; header: FileHeader }

/** The topmost `bits` of a keyed hash. */
export function bucketOf(hash: number, bits: number): number {
  return bits === 0 ? 0 : hash >>> (32 - bits)
}
