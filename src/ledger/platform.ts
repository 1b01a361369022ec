// The two primitives that the ledger's formats stand on, from Node. The verifier's page has the same from a library
// (platform-web.ts); both pass the published vectors. Everything else here is plain TypeScript that runs anywhere.
import { createPublicKey, hash, verify } from 'node:crypto'

export const hashBytes = 32

export function sha256(data: Uint8Array): Uint8Array {
  // A plain view: a Buffer's own slice() would share memory where a Uint8Array's copies.
  const digest = hash('sha256', data, 'buffer')
  return new Uint8Array(digest.buffer, digest.byteOffset, hashBytes)
}

/** RFC 8032 Ed25519; false for a key or a signature of another length. */
export function verifyEd25519(input: {
  publicKey: Uint8Array
  message: Uint8Array
  signature: Uint8Array
}): boolean {
  if (input.publicKey.length !== 32 || input.signature.length !== 64) return false
  return verify(null, input.message, publicKeyOf(input.publicKey), input.signature)
}

/** RFC 8410: what precedes the 32 bytes of an Ed25519 key in its SPKI form. */
const spkiPrefix = Buffer.from('302a300506032b6570032100', 'hex')

function publicKeyOf(raw: Uint8Array) {
  return createPublicKey({ key: Buffer.concat([spkiPrefix, raw]), format: 'der', type: 'spki' })
}
