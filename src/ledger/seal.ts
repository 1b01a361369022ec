// The data key: seals the personal values behind commitments, AES-256-GCM, bound to entry and field.
import { createCipheriv, createDecipheriv, createHash, createHmac, randomBytes } from 'node:crypto'
import type { Hex } from '../domain/blob.ts'
import { FatalError, UsageError } from '../domain/errors.ts'

export type DataKey = {
  /** A fingerprint that tells keys apart and nothing about the key. */
  id: string
  seal(context: string, plain: Uint8Array): Hex
  /** Throws FatalError when the bytes were not sealed with this key for this context. */
  open(context: string, sealed: Uint8Array): Buffer
  /** The same for the same text, and nothing without the key: a name for outsiders that reveals nothing. */
  pseudonym(context: string, text: string): Hex
}

const nonceBytes = 12
const tagBytes = 16

export function createDataKey(keyHex: Hex): DataKey {
  if (!/^[0-9a-f]{64}$/i.test(keyHex))
    throw new UsageError('the data key is 64 hex digits (32 bytes)')
  const key = Buffer.from(keyHex, 'hex')
  return {
    id: createHash('sha256')
      .update('blobwatch/data-key/v1\0')
      .update(key)
      .digest('hex')
      .slice(0, 16),
    seal(context, plain) {
      const nonce = randomBytes(nonceBytes)
      const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(Buffer.from(context))
      const sealed = Buffer.concat([nonce, cipher.update(plain), cipher.final()])
      return Buffer.concat([sealed, cipher.getAuthTag()]).toString('hex')
    },
    open(context, sealed) {
      const nonce = sealed.subarray(0, nonceBytes)
      const tag = sealed.subarray(sealed.length - tagBytes)
      const body = sealed.subarray(nonceBytes, sealed.length - tagBytes)
      const decipher = createDecipheriv('aes-256-gcm', key, nonce).setAAD(Buffer.from(context))
      try {
        decipher.setAuthTag(tag)
        return Buffer.concat([decipher.update(body), decipher.final()])
      } catch (cause) {
        throw new FatalError('a sealed value does not open with this data key', { cause })
      }
    },
    pseudonym(context, text) {
      // Its own key: what seals values is used for nothing else.
      const own = createHmac('sha256', key).update('blobwatch/pseudonym/v1').digest()
      return createHmac('sha256', own).update(`${context}\0${text}`).digest('hex')
    },
  }
}

export function generateDataKey(): Hex {
  return randomBytes(32).toString('hex')
}
