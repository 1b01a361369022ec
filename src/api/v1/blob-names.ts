// Names of accounts and blobs as callers write them, checked without a parser: once a request, thousands of times a second.
import { createHash } from 'node:crypto'
import type { Hex } from '../../domain/blob.ts'
import { blobDigest, digestOf } from '../../domain/cid.ts'

/** did:plc, did:web and what may come; the protocol's characters, and a length of ours. */
export const didPattern = /^did:[a-z]{1,16}:[A-Za-z0-9._:%-]{1,250}$/
export const cidPattern = /^[A-Za-z0-9]{8,128}$/

/** What the database knows the blob by; undefined: it is no CID. One that names no raw sha2-256 was kept by its text. */
export function digestOfCid(cid: string): Hex | undefined {
  if (!cidPattern.test(cid)) return undefined
  const digest = blobDigest(cid)
  if (digest !== undefined) return digest
  return digestOf(cid) === undefined ? undefined : createHash('sha256').update(cid).digest('hex')
}
