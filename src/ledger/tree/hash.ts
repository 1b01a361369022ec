// RFC 6962 section 2.1: leaves and nodes are hashed under different prefixes, so that none passes for the other.
import { sha256 } from '../platform.ts'

const leafPrefix = 0
const nodePrefix = 1

/** The root of a tree without leaves. */
export const emptyRoot: Uint8Array = sha256(new Uint8Array(0))

export function leafHashOf(entry: Uint8Array): Uint8Array {
  const input = new Uint8Array(1 + entry.length)
  input[0] = leafPrefix
  input.set(entry, 1)
  return sha256(input)
}

/** Both 32 bytes. */
export function nodeHash(left: Uint8Array, right: Uint8Array): Uint8Array {
  const input = new Uint8Array(1 + left.length + right.length)
  input[0] = nodePrefix
  input.set(left, 1)
  input.set(right, 1 + left.length)
  return sha256(input)
}
