// The tree, built anew from leaf hashes: every tile as it must be, and the root at any size on the way.
import { createFrontier, tileWidth } from './frontier.ts'
import { hashBytes } from '../platform.ts'
import type { TileName } from './tiles.ts'

export type BuiltTile = { level: number; name: TileName; hashes: Uint8Array }

export type TileBuilder = {
  push(leafHash: Uint8Array): void
  root(): Uint8Array
  /** Tiles that were completed since the last call; after `end` also those that never will be. */
  takeTiles(): BuiltTile[]
  end(): void
}

export function createTileBuilder(): TileBuilder {
  const frontier = createFrontier()
  const rows: { hashes: Uint8Array; length: number; index: number }[] = []
  let tiles: BuiltTile[] = []
  const put = (level: number, hash: Uint8Array) => {
    const row = (rows[level] ??= {
      hashes: new Uint8Array(tileWidth * hashBytes),
      length: 0,
      index: 0,
    })
    row.hashes.set(hash, row.length * hashBytes)
    row.length += 1
    if (row.length < tileWidth) return
    tiles.push({ level, name: { index: row.index, width: tileWidth }, hashes: row.hashes })
    rows[level] = { hashes: new Uint8Array(tileWidth * hashBytes), length: 0, index: row.index + 1 }
  }
  return {
    push(leafHash) {
      put(0, leafHash)
      frontier.push(leafHash, ({ level, root }) => put(level + 1, root))
    },
    root: () => frontier.root(),
    takeTiles() {
      const taken = tiles
      tiles = []
      return taken
    },
    end() {
      for (const [level, row] of rows.entries()) {
        if (row.length === 0) continue
        const hashes = row.hashes.subarray(0, row.length * hashBytes)
        tiles.push({ level, name: { index: row.index, width: row.length }, hashes })
      }
    },
  }
}
