// How far the index is, in the two ways HMA tells it.
import { ask } from '../../db/client.ts'
import type { AnySignalType } from '../../domain/blob.ts'
import { isOfOther } from '../../domain/other-type.ts'
import type { IndexStatus } from '../../domain/signal-batch.ts'
import type { Parts } from '../../service.ts'
import { quoted, refuse } from './answers.ts'
import { hmaTypesWith, typeNamed } from './signal-names.ts'
import type { HmaType } from './signal-names.ts'

/** As HMA counts it: a lookup at the banks that is older than this makes the process unready. */
export const staleAfterMs = 65_000

export type Readiness = 'I-AM-ALIVE' | 'INDEX-NOT-LOADED' | 'INDEX-STALE'

export function readiness({ bankBook, clock }: Pick<Parts, 'bankBook' | 'clock'>): Readiness {
  const { index, lookedAtMs } = bankBook.status()
  if (index === undefined) return 'INDEX-NOT-LOADED'
  return clock() - lookedAtMs > staleAfterMs ? 'INDEX-STALE' : 'I-AM-ALIVE'
}

export async function indexStatus(parts: Parts, only: string | undefined) {
  const { index, generation } = parts.bankBook.status()
  const builtTo = await changedAt(parts, generation)
  return entriesFor(parts, only, ({ ours }) => {
    const size = sizeOf(index, ours)
    return { present: size > 0, built_to: size > 0 ? builtTo : -1, size }
  })
}

export async function indexBacklog(parts: Parts, only: string | undefined) {
  const { index, generation } = parts.bankBook.status()
  const builtTo = await changedAt(parts, generation)
  const rows = await ask(
    'count the bank signals',
    parts.db<{ type: string; signals: number; newest: number | null }[]>`
      select s.type, count(*) as signals,
        (select floor(extract(epoch from max(c.at)))::bigint from bank_change c
          where c.generation = max(s.added_generation)) as newest
      from bank_signal s where s.state = 'live' group by s.type`,
  )
  return entriesFor(parts, only, ({ ours }) => {
    const row = rows.find(({ type }) => type === ours)
    const size = sizeOf(index, ours)
    return {
      db_size: row?.signals ?? 0,
      index_size: size,
      index_out_of_date: size !== (row?.signals ?? 0),
      newest_db_item: row?.newest ?? -1,
      index_built_to: size > 0 ? builtTo : -1,
    }
  })
}

function sizeOf(index: IndexStatus | undefined, type: AnySignalType): number {
  return (isOfOther(type) ? index?.others[type] : index?.signals[type]) ?? 0
}

function entriesFor<T>(
  { others }: Pick<Parts, 'others'>,
  only: string | undefined,
  entry: (type: HmaType) => T,
): Record<string, T> {
  const known = hmaTypesWith(others)
  const types =
    only === undefined
      ? known.filter(({ standard }) => standard)
      : [typeNamed(known, only) ?? refuse(400, `No such signal type ${quoted(only)}`)]
  return Object.fromEntries(types.map((type) => [type.name, entry(type)]))
}

/** Unix seconds of the bank change of that generation; -1: none is known. */
async function changedAt({ db }: Pick<Parts, 'db'>, generation: number): Promise<number> {
  const [row] = await ask(
    'read when the banks changed',
    db<{ at: Date }[]>`select at from bank_change where generation = ${generation}`,
  )
  return row === undefined ? -1 : Math.floor(row.at.getTime() / 1000)
}
