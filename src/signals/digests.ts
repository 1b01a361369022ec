// The digests every blob gets, whatever it is: sha256 names it, md5 and sha1 are what older banks hold.
import { createHash } from 'node:crypto'
import type { Hex } from '../domain/blob.ts'

/** Lowercase hex: 64, 32 and 40 digits. Node hashes at about 1 GB/s, so this stays on the calling thread. */
export function digests(bytes: Uint8Array): { sha256: Hex; md5: Hex; sha1: Hex } {
  return {
    sha256: createHash('sha256').update(bytes).digest('hex'),
    md5: createHash('md5').update(bytes).digest('hex'),
    sha1: createHash('sha1').update(bytes).digest('hex'),
  }
}
