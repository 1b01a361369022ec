// Private keys of signed notes, in the form that Go's tools write: `PRIVATE+KEY+NAME+ID+BASE64(type, 32-byte seed)`.
import { createPrivateKey, createPublicKey, randomBytes, sign } from 'node:crypto'
import { join, toBase64, utf8 } from '../bytes.ts'
import { cosignedMessage, keyTypes, makeVerifierKey, splitKey, typeOf } from './key.ts'
import type { KeyType, VerifierKey } from './key.ts'
import type { NoteSignature } from './note.ts'

export type SignerKey = {
  verifier: VerifierKey
  /** The file's content: a secret. */
  secret: string
  /** A witness's key needs the time; a log's has none. */
  sign(text: string, atSeconds: number): NoteSignature
  /** The same seed under another name: another key id. Throws TypeError for a name that is no key name. */
  named(name: string): SignerKey
}

/** RFC 8410: what precedes the 32 bytes of a seed in PKCS #8. */
const pkcs8Prefix = Buffer.from('302e020100300506032b657004220420', 'hex')
const secretPrefix = 'PRIVATE+KEY+'

/** `seed`: 32 bytes, random unless given. Throws TypeError for a name that is no key name. */
export function makeSignerKey(
  name: string,
  type: KeyType,
  seed: Uint8Array = randomBytes(32),
): SignerKey {
  const privateKey = createPrivateKey({
    key: Buffer.concat([pkcs8Prefix, seed]),
    format: 'der',
    type: 'pkcs8',
  })
  const publicKey = createPublicKey(privateKey)
    .export({ format: 'der', type: 'spki' })
    .subarray(-32)
  const verifier = makeVerifierKey(name, type, Uint8Array.from(publicKey))
  const id = verifier.keyId.toString(16).padStart(8, '0')
  return {
    verifier,
    secret: `${secretPrefix}${name}+${id}+${toBase64(join(Uint8Array.of(keyTypes[type]), seed))}`,
    named: (other) => makeSignerKey(other, type, seed),
    sign(text, atSeconds) {
      const { keyId } = verifier
      if (type === 'log') return { name, keyId, signature: sign(null, utf8(text), privateKey) }
      const time = new Uint8Array(8)
      new DataView(time.buffer).setBigUint64(0, BigInt(atSeconds))
      const signature = sign(null, cosignedMessage(utf8(text), atSeconds), privateKey)
      return { name, keyId, signature: join(time, signature) }
    },
  }
}

/** The key, or in words what keeps the text from being one; never a part of the text. */
export function parseSignerKey(text: string): SignerKey | string {
  const trimmed = text.trim()
  const parts = trimmed.startsWith(secretPrefix)
    ? splitKey(trimmed.slice(secretPrefix.length))
    : undefined
  if (parts === undefined) return 'a private key looks like PRIVATE+KEY+NAME+8 HEX DIGITS+BASE64'
  const { name, id, bytes } = parts
  const type = typeOf(bytes[0])
  if (type === undefined) return `this type of key (${bytes[0]}) is not known here`
  if (bytes.length !== 33) return 'an Ed25519 seed has 32 bytes'
  const key = makeSignerKey(name, type, bytes.subarray(1))
  return key.verifier.keyId === id
    ? key
    : 'the key does not fit its own id: a character was changed'
}
