// Blob CIDs: only CIDv1 + raw + sha2-256 names bytes that we can verify. The 32-byte digest is the database's key.
import { cidForRawHash, decodeCid, parseCidSafe } from '@atproto/lex-data'
import type { BlobCid, Hex } from './blob.ts'

/** The sha2-256 digest (64 hex digits) inside a blob CID; undefined when the CID is of any other shape. */
export function blobDigest(cid: string): Hex | undefined {
  const parsed = parseCidSafe(cid)
  return parsed?.version === 1 && parsed.code === 0x55 ? digestOf(cid) : undefined
}

/** The CID of the bytes whose sha2-256 digest (64 hex digits) is given. Throws on any other length. */
export function blobCidOf(digest: Hex): BlobCid {
  if (!/^[0-9a-f]{64}$/.test(digest)) throw new TypeError('a sha2-256 digest has 64 hex digits')
  return cidForRawHash(Buffer.from(digest, 'hex')).toString()
}

/** The sha2-256 digest inside any CID (a record's is dag-cbor); undefined for other hash functions. */
export function digestOf(cid: string): Hex | undefined {
  const multihash = parseCidSafe(cid)?.multihash
  if (multihash?.code !== 0x12 || multihash.digest.length !== 32) return undefined
  return Buffer.from(multihash.digest).toString('hex')
}

/** The CID of a record (CIDv1, dag-cbor, sha2-256) whose digest (64 hex digits) is given. */
export function recordCidOf(digest: Hex): string {
  return decodeCid(
    Buffer.concat([Buffer.from('01711220', 'hex'), Buffer.from(digest, 'hex')]),
  ).toString()
}
