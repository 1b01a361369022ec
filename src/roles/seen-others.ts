// Which stored blobs come near values of plug-ins: each stored value of the type and version compared with those few.
import type { Database } from '../db/client.ts'
import { ask } from '../db/client.ts'
import type { AnySignalType, Hex } from '../domain/blob.ts'
import { bitsBetween } from './banks-now.ts'
import { stopIfAsked, windowLimits } from './seen-window.ts'

export type WantedOther = { type: AnySignalType; version: string; value: Hex; distanceMax: number }

/** Tells every pair of a blob and a wanted value within its distance. Throws RetryableError when stopped. */
export async function lookAtOthers<Wanted extends WantedOther>(
  db: Database,
  wanted: readonly Wanted[],
  options: { onHit: (cid: Hex, wanted: Wanted) => void; signal: AbortSignal | undefined },
): Promise<void> {
  const packed = wanted.map((one) => ({ one, bytes: Buffer.from(one.value, 'hex') }))
  const byType = Map.groupBy(packed, ({ one }) => one.type)
  for (const [type, own] of byType) {
    const version = own[0]?.one.version ?? ''
    for await (const rows of pagesOf(db, type, version)) {
      stopIfAsked(options.signal)
      for (const { cid, value } of rows)
        for (const { one, bytes } of own)
          if (bitsBetween(value, 0, bytes, 0, bytes.length) <= one.distanceMax)
            options.onHit(cid, one)
    }
  }
}

async function* pagesOf(db: Database, type: AnySignalType, version: string) {
  let after: Hex = ''
  for (;;) {
    const rows = await ask(
      'read stored values of a plug-in',
      db<{ cid: Hex; value: Uint8Array }[]>`
        select encode(blob_cid, 'hex') as cid, value from blob_other
        where blob_cid > decode(${after}, 'hex') and type = ${type} and version = ${version} and value is not null
        order by blob_cid limit ${windowLimits.rowsPerPage}`,
    )
    if (rows.length > 0) yield rows
    if (rows.length < windowLimits.rowsPerPage) return
    after = rows.at(-1)?.cid ?? after
  }
}
