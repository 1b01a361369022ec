// The contents of a bank as people read them. Values come out only when asked for, and the caller says who may ask.
import type { Database } from '../db/client.ts'
import { ask } from '../db/client.ts'
import type { AnySignalType, Hex } from '../domain/blob.ts'
import { noOtherTypes, typesWith } from '../domain/other-type.ts'
import type { OtherTypes } from '../domain/other-type.ts'

export type ContentRow = {
  id: number
  note: string | null
  metadata: object | null
  /** Where it came from: the bank and content that it was before. */
  provenance: object | null
  /** Of an import: the list, and the list's own name for the item. */
  source: string | null
  sourceKey: string | null
  addedAt: Date
  heldAt: Date | null
  /** HMA's: 0 disabled, 1 enabled, else disabled until that unix second. */
  disableUntilTs: number
  /** A person looked at what it matched. */
  reviewed: 'confirmed' | 'deconfirmed' | null
  matchedBlobs: number
  signals: { type: AnySignalType; quality: number | null; value?: Hex }[]
}

/** `search`: part of a note, the metadata, a list's name or its name for an item, whatever the case; or a whole signal value in hex. */
export async function listContents(
  db: Database,
  options: {
    bank: number
    withValues: boolean
    limit: number
    offset: number
    search?: string
    /** The types of plug-ins, for a search by value. */
    others?: OtherTypes
    /** Only what follows that content. */
    after?: number
  },
): Promise<ContentRow[]> {
  const search = options.search ?? null
  const value = /^([0-9a-f]{2}){1,64}$/i.test(search ?? '') ? search : null
  const types = typesWith(options.others ?? noOtherTypes)
  return ask(
    'list the bank contents',
    db<ContentRow[]>`
      select c.id, c.note, c.metadata, c.provenance, c.source, c.source_key as "sourceKey",
        c.created_at as "addedAt", c.held_at as "heldAt", c.disable_until_ts as "disableUntilTs", c.reviewed,
        (select count(distinct m.blob_cid) from match m where m.content = c.id) as "matchedBlobs",
        coalesce((select jsonb_agg(jsonb_strip_nulls(jsonb_build_object('type', s.type, 'quality', s.quality,
            'value', case when ${options.withValues} then encode(s.value, 'hex') end)) order by s.type, s.id)
          from bank_signal s where s.content = c.id and s.state = 'live'), '[]') as signals
      from bank_content c
      where c.bank = ${options.bank} and c.removed_at is null and c.id > ${options.after ?? 0}
        and (${search}::text is null
          or position(lower(${search}) in lower(concat_ws(' ', c.note, c.metadata, c.source, c.source_key))) > 0
          or c.id in (select s.content from bank_signal s where s.value = decode(${value}, 'hex') and s.state = 'live'
            and s.type = any (${types}::text[])))
      order by c.id limit ${options.limit} offset ${options.offset}`,
  )
}

/** The list that a content came with; undefined: with none. */
export async function sourceOf(
  db: Database,
  bank: number,
  content: number,
): Promise<string | undefined> {
  const [row] = await ask(
    'find the content',
    db<{ source: string | null }[]>`
      select source from bank_content where id = ${content} and bank = ${bank} and removed_at is null`,
  )
  return row?.source ?? undefined
}
