// Keys of signed notes: the verifier's form (`NAME+ID+BASE64`, C2SP signed-note), and what each type of key signs.
//
//   0x01 Ed25519 over the text: a log's signature of its checkpoint
//   0x04 Ed25519 over `cosignature/v1`, a time and the text: a witness's (C2SP tlog-cosignature)
import { fromBase64, join, toBase64, utf8 } from '../bytes.ts'
import { sha256, verifyEd25519 } from '../platform.ts'

export const keyTypes = { log: 1, witness: 4 } as const
export type KeyType = keyof typeof keyTypes

/** `publicKey`: 32 bytes. `keyId`: the first 4 bytes of SHA-256(name, newline, type, key) as a number. */
export type VerifierKey = { name: string; keyId: number; type: KeyType; publicKey: Uint8Array }

export function makeVerifierKey(name: string, type: KeyType, publicKey: Uint8Array): VerifierKey {
  if (!isKeyName(name)) throw new TypeError('a key name has no spaces and no plus')
  if (publicKey.length !== 32) throw new TypeError('an Ed25519 key has 32 bytes')
  return { name, type, publicKey, keyId: keyIdOf(name, type, publicKey) }
}

export function formatVerifierKey(key: VerifierKey): string {
  const id = key.keyId.toString(16).padStart(8, '0')
  return `${key.name}+${id}+${toBase64(join(Uint8Array.of(keyTypes[key.type]), key.publicKey))}`
}

/** The key, or in words what keeps the text from being one. */
export function parseVerifierKey(text: string): VerifierKey | string {
  const parts = splitKey(text.trim())
  if (parts === undefined) return 'a verifier key looks like NAME+8 HEX DIGITS+BASE64'
  const { name, id, bytes } = parts
  const type = typeOf(bytes[0])
  if (type === undefined) return `this type of key (${bytes[0]}) is not known here`
  if (bytes.length !== 33) return 'an Ed25519 key has 32 bytes'
  const key = makeVerifierKey(name, type, bytes.subarray(1))
  return key.keyId === id ? key : 'the key does not fit its own id: a character was changed'
}

/** `PRIVATE+KEY+` has been cut off by then. */
export function splitKey(
  text: string,
): { name: string; id: number; bytes: Uint8Array } | undefined {
  const [, name, id, base64] = /^([^+]+)\+([0-9a-f]{8})\+(.+)$/.exec(text) ?? []
  const bytes = base64 === undefined ? undefined : fromBase64(base64)
  if (name === undefined || id === undefined || bytes === undefined || bytes.length === 0)
    return undefined
  return isKeyName(name) ? { name, id: Number.parseInt(id, 16), bytes } : undefined
}

export function keyIdOf(name: string, type: KeyType, publicKey: Uint8Array): number {
  const digest = sha256(join(utf8(`${name}\n`), Uint8Array.of(keyTypes[type]), publicKey))
  return new DataView(digest.buffer, digest.byteOffset).getUint32(0)
}

export function typeOf(byte: number | undefined): KeyType | undefined {
  return byte === keyTypes.log ? 'log' : byte === keyTypes.witness ? 'witness' : undefined
}

/** What a witness signs: its time in whole seconds, then the whole text. */
export function cosignedMessage(text: Uint8Array, atSeconds: number): Uint8Array {
  return join(utf8(`cosignature/v1\ntime ${atSeconds}\n`), text)
}

/** `text`: the note's, with its last newline. */
export function verifyKeySignature(
  { type, publicKey }: VerifierKey,
  { text, signature }: { text: Uint8Array; signature: Uint8Array },
): { holds: boolean; atSeconds?: number } {
  switch (type) {
    case 'log':
      return { holds: verifyEd25519({ publicKey, message: text, signature }) }
    case 'witness': {
      if (signature.length !== 72) return { holds: false }
      const at = new DataView(signature.buffer, signature.byteOffset).getBigUint64(0)
      if (at > BigInt(Number.MAX_SAFE_INTEGER)) return { holds: false }
      const atSeconds = Number(at)
      const message = cosignedMessage(text, atSeconds)
      return {
        holds: verifyEd25519({ publicKey, message, signature: signature.subarray(8) }),
        atSeconds,
      }
    }
    default:
      throw new TypeError(`unknown type of key ${String(type satisfies never)}`)
  }
}

/** signed-note: not empty, no Unicode space, no plus. */
export function isKeyName(name: string): boolean {
  return name !== '' && name.isWellFormed() && !/[\s\u0085+]/u.test(name)
}
