// Blob CIDs: only CIDv1 + raw + sha2-256 names bytes that we can verify. The 32-byte digest is the database's key.
import { cidForRawHash, parseCid } from '@atproto/lex-data'
import type { BlobCid, Hex } from './blob.ts'

/** The sha2-256 digest (64 hex digits) inside a blob CID; undefined when the CID is of any other shape. */
export function blobDigest(cid: string): Hex | undefined {
  try {
    const parsed = parseCid(cid)
    if (parsed.version !== 1 || parsed.code !== 0x55 || parsed.multihash.code !== 0x12)
      return undefined
    if (parsed.multihash.digest.length !== 32) return undefined
    return Buffer.from(parsed.multihash.digest).toString('hex')
  } catch {
    // Not a CID at all: the same answer as a CID of another shape.
    return undefined
  }
}

/** The CID of the bytes whose sha2-256 digest (64 hex digits) is given. Throws on any other length. */
export function blobCidOf(digest: Hex): BlobCid {
  if (!/^[0-9a-f]{64}$/.test(digest)) throw new TypeError('a sha2-256 digest has 64 hex digits')
  return cidForRawHash(Buffer.from(digest, 'hex')).toString()
}
