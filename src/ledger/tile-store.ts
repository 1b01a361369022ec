// The tiles of the ledger in the database: leaf hashes stand beside their entries, roots of full tiles in ledger_node.
import type { Database } from '../db/client.ts'
import { ask } from '../db/client.ts'
import { FatalError } from '../domain/errors.ts'
import { hashBytes } from './platform.ts'
import { tileWidth } from './tree/frontier.ts'
import type { TileReader } from './tree/prove.ts'

/** Reads only. Throws FatalError when a hash that must be there is not. */
export function createTileReader(db: Database): TileReader {
  return {
    async readTile(level, index, width) {
      const from = index * tileWidth
      const to = from + width
      const rows = await ask(
        'read a tile of the ledger',
        level === 0
          ? db<
              { hash: Buffer }[]
            >`select hash from ledger_entry where seq >= ${from} and seq < ${to} order by seq`
          : db<
              { hash: Buffer }[]
            >`select hash from ledger_node where level = ${level - 1} and index >= ${from} and index < ${to} order by index`,
      )
      if (rows.length !== width || rows.some(({ hash }) => hash.length !== hashBytes))
        throw new FatalError(
          `tile ${level}/${index} of the ledger has ${rows.length} of ${width} hashes`,
        )
      return Uint8Array.from(Buffer.concat(rows.map(({ hash }) => hash)))
    },
  }
}
