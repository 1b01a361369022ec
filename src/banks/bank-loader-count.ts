// How many signals a load will bring, before it begins: enough to choose a layout and to make room.
import type { Database } from '../db/client.ts'
import { signalTypes } from '../domain/blob.ts'
import type { SignalType } from '../domain/blob.ts'
import { read } from './bank-loader-packed.ts'

/** Up to so many ids every row is counted; beyond that one page of the table in a hundred. */
const countedMax = 200_000

/** By type; within some percent where there are many. */
export async function countSignals(db: Database): Promise<Record<SignalType, number>> {
  const [bounds] = await read(
    'read the bounds of the bank signals',
    db<{ ids: number }[]>`select coalesce(max(id) - min(id), 0) as ids from bank_signal`,
  )
  const isSample = (bounds?.ids ?? 0) > countedMax
  const rows = await read(
    'count the bank signals',
    db<{ type: string; signals: number }[]>`
      select type, count(*) * ${isSample ? 100 : 1}::integer as signals
      from bank_signal ${isSample ? db`tablesample system (1)` : db``}
      where removed_generation is null group by type`,
  )
  const counts = new Map(rows.map(({ type, signals }) => [type, signals]))
  return Object.fromEntries(
    signalTypes.map((type) => [type, counts.get(type) ?? 0] as const),
  ) as Record<SignalType, number>
}
