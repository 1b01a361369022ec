// Keys that seal: AES-256-GCM, bound to a context. The data key seals values that belong to no account, and the keys of
// accounts until there is a key set of its own; each account's key seals the values about that account.
import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createHmac,
  createSecretKey,
  randomBytes,
} from 'node:crypto'
import { freshRandom } from './random.ts'
import type { Hex } from '../domain/blob.ts'
import { FatalError, UsageError } from '../domain/errors.ts'

export type SealingKey = {
  /** A fingerprint that tells keys apart and nothing about the key. */
  id: string
  seal(context: string, plain: Uint8Array): Hex
  /** Throws FatalError when the bytes were not sealed with this key for this context. */
  open(context: string, sealed: Uint8Array): Buffer
  /** The same for the same text, and nothing without the key: a name for outsiders that reveals nothing. */
  pseudonym(context: string, text: string): Hex
}

export type DataKey = SealingKey & {
  /** What seals the keys of accounts, by the name in `account_key`. undefined: this machine does not have it. */
  keySet(name: string): SealingKey | undefined
}

/** The key set of a deployment that has no file of its own for it: the data key. */
export const dataKeySet = 'data-key'

const nonceBytes = 12
const tagBytes = 16

/** `readKeySets`: the keys of the key set file as it is now; looked at again for a name that is not known yet. */
export function createDataKey(keyHex: Hex, readKeySets: () => Hex[] = () => []): DataKey {
  if (!/^[0-9a-f]{64}$/i.test(keyHex))
    throw new UsageError('the data key is 64 hex digits (32 bytes)')
  const dataKey = createSealingKey(Buffer.from(keyHex, 'hex'))
  const sets = new Map([[dataKeySet, dataKey]])
  return {
    ...dataKey,
    keySet(name) {
      if (sets.has(name)) return sets.get(name)
      for (const setHex of readKeySets()) {
        const set = createSealingKey(Buffer.from(setHex, 'hex'))
        sets.set(set.id, set)
      }
      return sets.get(name)
    },
  }
}

export function createSealingKey(key: Uint8Array): SealingKey {
  // Made once: for raw bytes Node would make it anew at each value.
  const secret = createSecretKey(key)
  return {
    // Computed when asked for: keys of accounts have no use for theirs, and a batch opens hundreds.
    get id() {
      return createHash('sha256')
        .update('blobwatch/data-key/v1\0')
        .update(key)
        .digest('hex')
        .slice(0, 16)
    },
    seal(context, plain) {
      const nonce = freshRandom(nonceBytes)
      const cipher = createCipheriv('aes-256-gcm', secret, nonce).setAAD(Buffer.from(context))
      const sealed = Buffer.concat([nonce, cipher.update(plain), cipher.final()])
      return Buffer.concat([sealed, cipher.getAuthTag()]).toString('hex')
    },
    open(context, sealed) {
      const nonce = sealed.subarray(0, nonceBytes)
      const tag = sealed.subarray(sealed.length - tagBytes)
      const body = sealed.subarray(nonceBytes, sealed.length - tagBytes)
      const decipher = createDecipheriv('aes-256-gcm', secret, nonce).setAAD(Buffer.from(context))
      try {
        decipher.setAuthTag(tag)
        return Buffer.concat([decipher.update(body), decipher.final()])
      } catch (cause) {
        throw new FatalError('a sealed value does not open with this key', { cause })
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
