// Step note_api_matches: a caller is told of matches, and the server can say later that it told them.
//
// Promises: durable before the answer leaves; the same question of the same caller has the same id for as long as it is
// kept; never the bank's signal, and of what was asked only a digest. A crash before it leaves nothing.
import { createHash, randomBytes } from 'node:crypto'
import type { Match } from '../domain/bank.ts'
import type { AnySignalType, Hex } from '../domain/blob.ts'
import type { Database } from '../db/client.ts'
import { ask, callStep } from '../db/client.ts'

/** How long a match that was told backs an action, and how long requests and reports are kept. */
export const requestKeepDays = 30

const dayMs = 24 * 3600 * 1000

export type ToldMatch = Pick<Match, 'bankId' | 'contentId' | 'distance' | 'type'> & { asked: Hex }

export function digestOfAsked(type: AnySignalType, value: Hex): Hex {
  return createHash('sha256').update(`${type}:${value}`).digest('hex')
}

/** The id of each, by `asked` and content. Safe to repeat. */
export async function noteApiMatches(
  db: Database,
  input: { principal: number; matches: readonly ToldMatch[]; nowMs: number },
): Promise<(match: Pick<ToldMatch, 'asked' | 'contentId'>) => string> {
  const keyOf = (asked: Hex, content: number) => `${asked}:${content}`
  const distinct = new Map(input.matches.map((one) => [keyOf(one.asked, one.contentId), one]))
  const rows =
    distinct.size === 0
      ? []
      : await callStep<{ asked: Hex; content: number; id: string }[]>(db, 'note_api_matches_v1', {
          principal: input.principal,
          now: new Date(input.nowMs),
          matches: [...distinct.values()].map(({ asked, type, bankId, contentId, distance }) => ({
            id: `m_${randomBytes(12).toString('base64url')}`,
            ...{ asked, type, distance, bank: bankId, content: contentId },
          })),
        })
  const ids = new Map(rows.map(({ asked, content, id }) => [keyOf(asked, content), id]))
  return ({ asked, contentId }) => {
    const id = ids.get(keyOf(asked, contentId))
    if (id === undefined) throw new TypeError('note_api_matches_v1 answers for each match')
    return id
  }
}

/** Whether this principal was told of that match in the last 30 days. The step asks again: this spares the way to a host. */
export async function wasTold(
  db: Database,
  input: { principal: number; matchId: string; nowMs: number },
): Promise<boolean> {
  const rows = await ask(
    'find a match that was told',
    db`
      select 1 from api_match
      where id = ${input.matchId} and principal = ${input.principal} and at >= ${matchesSince(input.nowMs)}`,
  )
  return rows.length > 0
}

export function matchesSince(nowMs: number): Date {
  return new Date(nowMs - requestKeepDays * dayMs)
}
