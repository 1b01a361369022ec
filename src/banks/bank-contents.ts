// The contents of a bank as people read them. Values come out only when asked for, and the caller says who may ask.
import type { Database } from '../db/client.ts'
import { ask } from '../db/client.ts'
import type { Hex, SignalType } from '../domain/blob.ts'

export type ContentRow = {
  id: number
  note: string | null
  addedAt: Date
  heldAt: Date | null
  /** HMA's: 0 disabled, 1 enabled, else disabled until that unix second. */
  disableUntilTs: number
  matchedBlobs: number
  signals: { type: SignalType; quality: number | null; value?: Hex }[]
}

export async function listContents(
  db: Database,
  options: { bank: number; withValues: boolean; limit: number; offset: number },
): Promise<ContentRow[]> {
  return ask(
    'list the bank contents',
    db<ContentRow[]>`
      select c.id, c.note, c.created_at as "addedAt", c.held_at as "heldAt", c.disable_until_ts as "disableUntilTs",
        (select count(distinct m.blob_cid) from match m where m.content = c.id) as "matchedBlobs",
        coalesce((select jsonb_agg(jsonb_strip_nulls(jsonb_build_object('type', s.type, 'quality', s.quality,
            'value', case when ${options.withValues} then encode(s.value, 'hex') end)) order by s.type)
          from bank_signal s where s.content = c.id and s.state = 'live'), '[]') as signals
      from bank_content c
      where c.bank = ${options.bank} and c.removed_at is null
      order by c.id limit ${options.limit} offset ${options.offset}`,
  )
}
