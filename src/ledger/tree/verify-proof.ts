// RFC 9162 sections 2.1.3.2 and 2.1.4.2. Pure; false for anything that is not exactly a proof.
import { sameBytes } from '../bytes.ts'
import { hashBytes } from '../platform.ts'
import { nodeHash } from './hash.ts'

const isHash = (value: Uint8Array) => value.length === hashBytes
const isSize = (value: number) => Number.isSafeInteger(value) && value >= 0
const halved = (value: number) => Math.floor(value / 2)

/** Whether the leaf stands at `index` of the tree of `size` leaves with this root. */
export function verifyInclusion(input: {
  index: number
  size: number
  leafHash: Uint8Array
  root: Uint8Array
  proof: readonly Uint8Array[]
}): boolean {
  const { index, size, leafHash, root, proof } = input
  if (!isSize(index) || !isSize(size) || index >= size) return false
  if (![leafHash, root, ...proof].every(isHash)) return false
  let at = index
  let last = size - 1
  let hash = leafHash
  for (const sibling of proof) {
    if (last === 0) return false
    if (at % 2 === 1 || at === last) {
      hash = nodeHash(sibling, hash)
      while (at % 2 === 0 && at !== 0) {
        at = halved(at)
        last = halved(last)
      }
    } else {
      hash = nodeHash(hash, sibling)
    }
    at = halved(at)
    last = halved(last)
  }
  return last === 0 && sameBytes(hash, root)
}

/** Whether the tree of `size1` leaves with `root1` is a prefix of the tree of `size2` with `root2`. An empty tree is a prefix of any. */
export function verifyConsistency(input: {
  size1: number
  size2: number
  root1: Uint8Array
  root2: Uint8Array
  proof: readonly Uint8Array[]
}): boolean {
  const { size1, size2, root1, root2, proof } = input
  if (!isSize(size1) || !isSize(size2) || size1 > size2) return false
  if (![root1, root2, ...proof].every(isHash)) return false
  if (size1 === size2) return proof.length === 0 && sameBytes(root1, root2)
  if (size1 === 0) return proof.length === 0
  if (proof.length === 0) return false

  let at = size1 - 1
  let last = size2 - 1
  while (at % 2 === 1) {
    at = halved(at)
    last = halved(last)
  }
  // A complete subtree is its own first hash and is not repeated in the proof.
  const [first, ...rest] = at === 0 ? [root1, ...proof] : proof
  let old = first as Uint8Array
  let now = old
  for (const hash of rest) {
    if (last === 0) return false
    if (at % 2 === 1 || at === last) {
      old = nodeHash(hash, old)
      now = nodeHash(hash, now)
      while (at % 2 === 0 && at !== 0) {
        at = halved(at)
        last = halved(last)
      }
    } else {
      now = nodeHash(now, hash)
    }
    at = halved(at)
    last = halved(last)
  }
  return last === 0 && sameBytes(old, root1) && sameBytes(now, root2)
}
