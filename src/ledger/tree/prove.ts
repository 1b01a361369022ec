// Roots and proofs for any entry and any two sizes, from tiles (RFC 6962 section 2.1.1 and 2.1.2).
import { join } from '../bytes.ts'
import { hashBytes } from '../platform.ts'
import { foldRoots, tileHeight, tileWidth } from './frontier.ts'
import { nodeHash } from './hash.ts'

/**
 * Where tiles come from: a database, a folder. The first `width` hashes of tile(level, index), 32 bytes each.
 * Rejects when they are not there. Bounded work a call; may be called concurrently.
 */
export type TileReader = {
  readTile(level: number, index: number, width: number): Promise<Uint8Array>
}

export type Prover = {
  rootAt(size: number): Promise<Uint8Array>
  /** What `createFrontier` goes on from. */
  frontierAt(size: number): Promise<Uint8Array>
  /** From the leaf's sibling up. Throws TypeError when the index is not below the size. */
  inclusion(index: number, size: number): Promise<Uint8Array[]>
  /** Throws TypeError when size1 is above size2. Empty from size 0 and between equal sizes. */
  consistency(size1: number, size2: number): Promise<Uint8Array[]>
}

/** Each tile is read once a prover: make one a question. `size`: how many leaves there are. */
export function createProver(reader: TileReader, size: number): Prover {
  const tiles = new Map<string, Promise<Uint8Array>>()

  const tile = (level: number, index: number) => {
    const key = `${level}/${index}`
    const known = tiles.get(key)
    if (known !== undefined) return known
    const there = Math.floor(size / tileWidth ** level) - index * tileWidth
    const read = reader.readTile(level, index, Math.min(tileWidth, there))
    tiles.set(key, read)
    return read
  }

  /** The root of the complete subtree of 2^height leaves at `index`. */
  const subtree = async (height: number, index: number): Promise<Uint8Array> => {
    const level = Math.floor(height / tileHeight)
    const count = 2 ** (height % tileHeight)
    const first = index * count
    const bytes = await tile(level, Math.floor(first / tileWidth))
    const at = (first % tileWidth) * hashBytes
    if (bytes.length < at + count * hashBytes)
      throw new TypeError(`tile ${level}/${Math.floor(first / tileWidth)} is too short`)
    let row = Array.from({ length: count }, (_, i) =>
      bytes.subarray(at + i * hashBytes, at + (i + 1) * hashBytes),
    )
    while (row.length > 1)
      row = Array.from({ length: row.length / 2 }, (_, i) =>
        nodeHash(row[2 * i] as Uint8Array, row[2 * i + 1] as Uint8Array),
      )
    return row[0] as Uint8Array
  }

  /** The roots of the complete subtrees over leaves [from, to); `from` is where a subtree of that many may begin. */
  const parts = (from: number, to: number): Promise<Uint8Array[]> => {
    const roots: Promise<Uint8Array>[] = []
    for (let at = from; at < to;) {
      const height = heightWithin(to - at)
      roots.push(subtree(height, at / 2 ** height))
      at += 2 ** height
    }
    return Promise.all(roots)
  }

  const range = async (from: number, to: number): Promise<Uint8Array> =>
    foldRoots(await parts(from, to))

  const check = (asked: number) => {
    if (!Number.isSafeInteger(asked) || asked < 0 || asked > size)
      throw new TypeError(`there are ${size} leaves, not ${asked}`)
  }

  return {
    async rootAt(asked) {
      check(asked)
      return range(0, asked)
    },
    async frontierAt(asked) {
      check(asked)
      return join(...(await parts(0, asked)))
    },
    async inclusion(index, asked) {
      check(asked)
      if (!Number.isSafeInteger(index) || index < 0 || index >= asked)
        throw new TypeError(`entry ${index} is not among ${asked}`)
      const path: Promise<Uint8Array>[] = []
      let [from, to] = [0, asked]
      while (to - from > 1) {
        const middle = from + splitOf(to - from)
        if (index < middle) {
          path.push(range(middle, to))
          to = middle
        } else {
          path.push(range(from, middle))
          from = middle
        }
      }
      return (await Promise.all(path)).toReversed()
    },
    async consistency(size1, size2) {
      check(size2)
      if (!Number.isSafeInteger(size1) || size1 < 0 || size1 > size2)
        throw new TypeError(`${size1} leaves are not a prefix of ${size2}`)
      if (size1 === 0 || size1 === size2) return []
      const path: Promise<Uint8Array>[] = []
      let [from, to] = [0, size2]
      while (to !== size1) {
        const middle = from + splitOf(to - from)
        if (size1 <= middle) {
          path.push(range(middle, to))
          to = middle
        } else {
          path.push(range(from, middle))
          from = middle
        }
      }
      // Where the old tree is one complete subtree of the new one, its root is known already.
      if (from !== 0) path.push(range(from, to))
      return (await Promise.all(path)).toReversed()
    },
  }
}

/** The largest h with 2^h at most n. By doubling: a logarithm rounds where sizes are large. */
function heightWithin(n: number): number {
  let height = 0
  while (2 ** (height + 1) <= n) height += 1
  return height
}

/** The largest power of two below n, for n above 1. */
function splitOf(n: number): number {
  return 2 ** heightWithin(n - 1)
}
