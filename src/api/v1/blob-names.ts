// Names of accounts and blobs as callers write them, checked without a parser: once a request, thousands of times a second.
import { createHash } from 'node:crypto'
import type { Hex } from '../../domain/blob.ts'
import { blobDigest, digestOf } from '../../domain/cid.ts'

/** did:plc, did:web and what may come; the protocol's characters, and a length of ours. */
export const didPattern = /^did:[a-z]{1,16}:[A-Za-z0-9._:%-]{1,250}$/
export const cidPattern = /^[A-Za-z0-9]{8,128}$/

/** What the database knows the blob by; undefined: it is no CID. One that names no raw sha2-256 was kept by its text. */
export function digestOfCid(cid: string): Hex | undefined {
  const usual = digestOfUsual(cid)
  if (usual !== undefined) return usual
  if (!cidPattern.test(cid)) return undefined
  const digest = blobDigest(cid)
  if (digest !== undefined) return digest
  return digestOf(cid) === undefined ? undefined : createHash('sha256').update(cid).digest('hex')
}

const alphabet = 'abcdefghijklmnopqrstuvwxyz234567'
const values = new Uint8Array(128).fill(255)
for (let value = 0; value < 32; value += 1) values[alphabet.charCodeAt(value)] = value

/** A CIDv1 of raw bytes by sha2-256, in base32, as nearly all are: 36 bytes in 58 letters after the `b`. */
function digestOfUsual(cid: string): Hex | undefined {
  if (cid.length !== 59 || !cid.startsWith('bafkrei')) return undefined
  const bytes = Buffer.allocUnsafe(36)
  let bits = 0
  let held = 0
  let at = 0
  for (let n = 1; n < 59; n += 1) {
    const value = values[cid.charCodeAt(n)]
    if (value === undefined || value > 31) return undefined
    held = (held << 5) | value
    bits += 5
    if (bits < 8) continue
    bits -= 8
    bytes[at] = held >> bits
    held &= (1 << bits) - 1
    at += 1
  }
  // What is left over is no part of any byte: another spelling of the same CID.
  if (held !== 0 || bytes.readUInt32BE(0) !== 0x01551220) return undefined
  return bytes.toString('hex', 4)
}
