// Every link to raw bytes inside a block of CBOR, found by its bytes alone: for records that do not decode or are too big to walk.
//
// A DRISL link is always tag 42 (d8 2a), a byte string of 37 (58 25), a zero, then the CID; a blob's CID begins 01 55 12 20.
import { cidForRawHash } from '@atproto/lex-data'
import type { BlobCid } from '../domain/blob.ts'

const linkPrefix = Buffer.from('d82a58250001551220', 'hex')
const digestBytes = 32

/** At most `max` distinct CIDs in the order they occur; text that merely looks like a link may be among them. */
export function rawLinksIn(block: Uint8Array, max: number): BlobCid[] {
  const bytes = Buffer.from(block.buffer, block.byteOffset, block.byteLength)
  const found = new Set<string>()
  let at = bytes.indexOf(linkPrefix)
  while (at !== -1 && found.size < max) {
    const digest = bytes.subarray(at + linkPrefix.length, at + linkPrefix.length + digestBytes)
    if (digest.length === digestBytes) found.add(cidForRawHash(digest).toString())
    at = bytes.indexOf(linkPrefix, at + linkPrefix.length)
  }
  return [...found]
}
