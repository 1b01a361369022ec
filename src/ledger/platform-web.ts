// platform.ts for a browser without a network: the verifier's page is built with this in its place.
import { ed25519 } from '@noble/curves/ed25519.js'
import { sha256 as sha256Of } from '@noble/hashes/sha2.js'

export const hashBytes = 32

export function sha256(data: Uint8Array): Uint8Array {
  return sha256Of(data)
}

/** RFC 8032 Ed25519; false for a key or a signature of another length. */
export function verifyEd25519(input: {
  publicKey: Uint8Array
  message: Uint8Array
  signature: Uint8Array
}): boolean {
  if (input.publicKey.length !== 32 || input.signature.length !== 64) return false
  try {
    return ed25519.verify(input.signature, input.message, input.publicKey, { zip215: false })
  } catch {
    // A key or a point that is none.
    return false
  }
}
