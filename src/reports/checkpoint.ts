// The newest checkpoint that somebody outside of the database holds.
import type { Database } from '../db/client.ts'
import { ask } from '../db/client.ts'
import type { Checkpoint } from './compliance.ts'

/** undefined: none is anchored, or this database keeps no checkpoints at all. */
export async function newestAnchored(db: Database): Promise<Checkpoint | undefined> {
  const [table] = await ask(
    'look for checkpoints',
    db<
      { there: boolean }[]
    >`select to_regclass('blobwatch.ledger_checkpoint') is not null as there`,
  )
  if (table?.there !== true) return undefined
  const [newest] = await ask(
    'read the newest anchored checkpoint',
    db<Checkpoint[]>`
      select size, origin, at, witnesses from ledger_checkpoint
      where anchored_at is not null order by size desc limit 1`,
  )
  return newest
}
