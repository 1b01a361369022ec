// Reads signed checkpoints and what others hold of them, a page at a time, in order of size.
import type { Database } from '../db/client.ts'
import { ask } from '../db/client.ts'
import type { KeptAnchor, KeptCheckpoint } from './bundle/format.ts'

const rowsPerPage = 500

export type StoredHead = KeptCheckpoint & { origin: string }

/** Those of this log up to `size`, and all of the logs before it. */
export async function* readCheckpoints(
  db: Database,
  upTo: { origin: string; size: number },
): AsyncGenerator<StoredHead[]> {
  let after = { size: -1, origin: '' }
  for (;;) {
    const rows = await ask(
      'read checkpoints',
      db<StoredHead[]>`
        select origin, size, note from ledger_checkpoint
        where (size, origin) > (${after.size}, ${after.origin})
          and (origin <> ${upTo.origin} or size <= ${upTo.size})
        order by size, origin limit ${rowsPerPage}`,
    )
    const last = rows.at(-1)
    if (last === undefined) return
    yield rows
    after = last
  }
}

export async function* readAnchors(
  db: Database,
  upTo: { origin: string; size: number },
): AsyncGenerator<KeptAnchor[]> {
  let after = { size: -1, id: 0 }
  for (;;) {
    const rows = await ask(
      'read anchors',
      db<(Omit<KeptAnchor, 'at'> & { id: number; at: Date })[]>`
        select id, origin, size, kind, who, body, at from ledger_anchor
        where (size, id) > (${after.size}, ${after.id})
          and (origin <> ${upTo.origin} or size <= ${upTo.size})
        order by size, id limit ${rowsPerPage}`,
    )
    const last = rows.at(-1)
    if (last === undefined) return
    yield rows.map(({ at, ...row }) => ({ ...row, at: at.toISOString() }))
    after = last
  }
}
