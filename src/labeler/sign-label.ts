// Signs labels and checks their signatures (atproto.com/specs/label).
// A signature covers the canonical DAG-CBOR of the label's own fields; the text of `cts` is part of it, so a
// label is stored exactly as it was signed and never built again. Signing is deterministic (RFC 6979): the same
// label and key give the same bytes, so a crash between signing and storing leaves nothing behind.
import { Secp256k1Keypair, verifySignature } from '@atproto/crypto'
import { encode } from '@atproto/lex-cbor'
import { isValidDid } from '@atproto/syntax'
import type { Did } from '../domain/blob.ts'
import type { SignedLabel } from '../domain/ports.ts'
import { UsageError } from '../domain/errors.ts'
import { assertLabel } from './label-value.ts'
import type { UnsignedLabel } from './label-value.ts'

/** `sig`: 64 bytes, compact, low-S: the same bytes as `sigHex`. */
export type LabelWithSignature = SignedLabel & { exp?: string; keyDid: string; sig: Uint8Array }

export type LabelSigner = {
  did: Did
  /** The public key as `did:key:z…`, stored beside each label so that a rotated key can still be checked. */
  keyDid: string
  /** Throws PermanentError for a label whose form is wrong. Idempotent; may be called concurrently. */
  sign(label: UnsignedLabel): Promise<LabelWithSignature>
}

/** `keyHex`: a secp256k1 private key, 64 hex digits. Throws UsageError, which never repeats the key. */
export async function createLabelSigner(options: {
  did: Did
  keyHex: string
}): Promise<LabelSigner> {
  if (!isValidDid(options.did)) throw new UsageError(`not a labeler DID: ${options.did}`)
  const keypair = await importKey(options.keyHex)
  const keyDid = keypair.did()
  return {
    did: options.did,
    keyDid,
    async sign(label) {
      assertLabel(label)
      const sig = await keypair.sign(labelBytes({ ...label, src: options.did }))
      const sigHex = Buffer.from(sig).toString('hex')
      return { ...label, src: options.did, sigHex, sig, keyDid }
    },
  }
}

/** False for any label, key or signature that is not right: the caller needs no reason to distrust it. */
export async function verifyLabel(
  label: SignedLabel & { exp?: string },
  didKey: string,
): Promise<boolean> {
  try {
    assertLabel(label)
    return await verifySignature(didKey, labelBytes(label), Buffer.from(label.sigHex, 'hex'))
  } catch {
    // A malformed key or signature throws; it verifies nothing.
    return false
  }
}

/** A new private key for a key file (64 hex digits) and the public half for the DID document. */
export async function generateLabelKey(): Promise<{ keyHex: string; keyDid: string }> {
  const keypair = await Secp256k1Keypair.create({ exportable: true })
  return { keyHex: Buffer.from(await keypair.export()).toString('hex'), keyDid: keypair.did() }
}

/** Version 1: absent fields and `neg: false` are left out, never null. */
function labelBytes(label: UnsignedLabel & { src: Did }): Uint8Array {
  return encode({
    ver: 1,
    src: label.src,
    uri: label.uri,
    ...(label.cid === undefined ? {} : { cid: label.cid }),
    val: label.val,
    ...(label.neg ? { neg: true } : {}),
    cts: label.cts,
    ...(label.exp === undefined ? {} : { exp: label.exp }),
  })
}

async function importKey(keyHex: string): Promise<Secp256k1Keypair> {
  const rule = 'the label signing key is a secp256k1 private key written as 64 hex digits'
  if (!/^[0-9a-fA-F]{64}$/.test(keyHex)) throw new UsageError(rule)
  try {
    return await Secp256k1Keypair.import(keyHex.toLowerCase())
  } catch {
    // Zero or beyond the curve's order. No cause: the library's message may carry the key.
    throw new UsageError(rule)
  }
}
