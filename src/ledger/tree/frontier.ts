// The right edge of a growing tree: the roots of its complete subtrees, largest first. All that appending needs.
import { hashBytes } from '../platform.ts'
import { emptyRoot, nodeHash } from './hash.ts'

/** tlog-tiles: a tile spans 8 levels of the tree. */
export const tileHeight = 8
export const tileWidth = 256

export type Frontier = {
  size(): number
  /** Appends a leaf hash. `onTile` is told the root of every tile that this leaf completes. */
  push(leafHash: Uint8Array, onTile?: (tile: CompleteTile) => void): void
  root(): Uint8Array
  /** The roots, 32 bytes each, largest subtree first: what `createFrontier` takes. */
  bytes(): Uint8Array
}

/** The root of tile(level, index): the hash that stands at `index` of level + 1. */
export type CompleteTile = { level: number; index: number; root: Uint8Array }

/** Throws TypeError when the bytes are not the frontier of a tree of this size. */
export function createFrontier(from?: { size: number; bytes: Uint8Array }): Frontier {
  let size = from?.size ?? 0
  const roots = from === undefined ? [] : splitRoots(from.bytes)
  if (roots.length !== onesOf(size)) throw new TypeError(`not the frontier of ${size} leaves`)
  return {
    size: () => size,
    push(leafHash, onTile) {
      if (leafHash.length !== hashBytes) throw new TypeError('a leaf hash has 32 bytes')
      let hash = leafHash
      let rest = size
      for (let height = 1; rest % 2 === 1; height += 1) {
        hash = nodeHash(roots.pop() as Uint8Array, hash)
        rest = (rest - 1) / 2
        if (height % tileHeight === 0)
          onTile?.({ level: height / tileHeight - 1, index: rest, root: hash })
      }
      roots.push(hash)
      size += 1
    },
    root: () => foldRoots(roots),
    bytes() {
      const bytes = new Uint8Array(roots.length * hashBytes)
      roots.forEach((root, i) => bytes.set(root, i * hashBytes))
      return bytes
    },
  }
}

/** The root over subtrees that stand side by side, largest first. */
export function foldRoots(roots: readonly Uint8Array[]): Uint8Array {
  const last = roots.at(-1)
  if (last === undefined) return emptyRoot
  return roots.slice(0, -1).reduceRight((right, left) => nodeHash(left, right), last)
}

function splitRoots(bytes: Uint8Array): Uint8Array[] {
  if (bytes.length % hashBytes !== 0) throw new TypeError('a frontier is whole hashes')
  return Array.from({ length: bytes.length / hashBytes }, (_, i) =>
    bytes.slice(i * hashBytes, (i + 1) * hashBytes),
  )
}

/** Sizes reach 2^53: bit operations of JavaScript end at 2^32. */
function onesOf(size: number): number {
  let ones = 0
  for (let rest = size; rest > 0; rest = Math.floor(rest / 2)) ones += rest % 2
  return ones
}
