// A ledger entry: exact canonical bytes (RFC 8785, restricted profile) chained by their leaf hashes.
//
// Promises: the same fields give the same bytes; a personal value enters only as a salted commitment.
// docs/ledger.md specifies the format to the byte.
import { hash } from 'node:crypto'
import canonicalize from 'canonicalize'
import type { Hex } from '../domain/blob.ts'
import { FatalError } from '../domain/errors.ts'
import { toHex } from './bytes.ts'
import { commitmentOf } from './commitment.ts'
import { leafHashOf } from './tree/hash.ts'
import { entryBytesMax } from './tree/tiles.ts'

/** Arrays and objects within each other, at most. */
export const depthMax = 64
export const noHash: Hex = '0'.repeat(64)

export type EntryFields = {
  log: string
  seq: number
  atMs: number
  prev: Hex
  type: string
  /** sha2-256 of the idempotency key, so that the key itself (which may tell) stays out. */
  idem: string
  actor: Record<string, unknown>
  pub: Record<string, unknown>
  /** field -> commitment */
  com: Record<string, Hex>
}

/** `text`: its UTF-8 is `bytes`. `leaf`: `hash` as bytes. */
export type LedgerEntry = { text: string; bytes: Buffer; hash: Hex; leaf: Uint8Array }

/** Throws FatalError when the fields cannot be an entry: our own code wrote something outside the profile. */
export function makeEntry(fields: EntryFields): LedgerEntry {
  const document = {
    v: 1,
    log: fields.log,
    seq: fields.seq,
    t: new Date(fields.atMs).toISOString(),
    prev: fields.prev,
    type: fields.type,
    idem: hash('sha256', fields.idem, 'hex'),
    actor: fields.actor,
    pub: fields.pub,
    com: fields.com,
  }
  const problem = profileProblem(document)
  if (problem !== undefined)
    throw new FatalError(`entry ${fields.seq} (${fields.type}): ${problem}`)
  const text = canonicalize(document) ?? ''
  const bytes = Buffer.from(text, 'utf8')
  if (bytes.length > entryBytesMax) {
    throw new FatalError(`entry ${fields.seq} (${fields.type}) has ${bytes.length} bytes`)
  }
  const leaf = leafHashOf(bytes)
  return { text, bytes, hash: Buffer.from(leaf).toString('hex'), leaf }
}

/** RFC 6962 leaf hash. */
export function leafHash(bytes: Uint8Array): Hex {
  return toHex(leafHashOf(bytes))
}

/** Of commitment.ts, in hex. */
export function commitment(field: string, salt: Uint8Array, value: string): Hex {
  return toHex(commitmentOf({ field, salt, value }))
}

/** What keeps a value out of the profile: floats, unsafe integers, lone surrogates, depth, anything that is not JSON. */
export function profileProblem(value: unknown, depth = 0): string | undefined {
  switch (typeof value) {
    case 'boolean':
      return undefined
    case 'string':
      return value.isWellFormed() ? undefined : 'a text has a lone surrogate'
    case 'number':
      return Number.isSafeInteger(value) ? undefined : 'a number is not a safe integer'
    case 'object':
      if (value === null) return undefined
      if (depth === depthMax) return `it is nested more than ${depthMax} deep`
      for (const [key, inner] of Object.entries(value)) {
        const problem = key.isWellFormed()
          ? profileProblem(inner, depth + 1)
          : 'a key has a lone surrogate'
        if (problem !== undefined) return problem
      }
      return undefined
    case 'bigint':
    case 'function':
    case 'symbol':
    case 'undefined':
      return `a ${typeof value} is not JSON`
    default:
      throw new TypeError(`unknown kind of value ${typeof value}`)
  }
}
