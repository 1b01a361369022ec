// Lookups of a caller: found, recorded as told, and made into answers.
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Database } from '../../db/client.ts'
import type { OtherTypes } from '../../domain/other-type.ts'
import type { Clock, Matcher } from '../../domain/ports.ts'
import { digestOfAsked, noteApiMatches } from '../../steps/api-matches.ts'
import type { Access } from '../access.ts'
import { findMatches, parseAsked, toldAs } from './match-asked.ts'
import type { Asked, AskFrame, FoundMatch, ToldAs } from './match-asked.ts'
import type { itemErrors } from './match-schema.ts'

/** Lookups between two turns of the event loop: a batch of thousands keeps nobody else waiting. */
const lookupsPerTurn = 256

/** `told`: of the matches of one hash. */
export type Caller = AskFrame & { access: Access; told: number }

export type Answer = { match_count: number; matches: ToldAs[] }

/** Why one of a batch is not looked up. */
export type Wrong = (typeof itemErrors)[number]

export type Item = { id?: string | number }

export type ItemAnswer = Item & Answer & { error?: Wrong }

/** In the order of what was asked. Throws RetryableError while the index or the database is away. */
export type Answering = (asked: readonly Asked[], caller: Caller) => Promise<Answer[]>

const nothing: Answer = { match_count: 0, matches: [] }

export function createAnswering(options: {
  db: Database
  clock: Clock
  bankBook: { matcher: Matcher }
}): Answering {
  const { db, clock, bankBook } = options
  return async (asked, caller) => {
    const answers: Answer[] = []
    for (let at = 0; at < asked.length; at += lookupsPerTurn) {
      if (at > 0) await nextTurn()
      const some = asked.slice(at, at + lookupsPerTurn)
      const found = await findMatches(some, bankBook.matcher, caller)
      answers.push(...(await told(some, found, caller)))
    }
    return answers
  }

  /** Recorded before it is told. */
  async function told(
    asked: readonly Asked[],
    found: readonly FoundMatch[][],
    caller: Caller,
  ): Promise<Answer[]> {
    if (found.every((matches) => matches.length === 0)) return asked.map(() => nothing)
    const rows = found.map((matches, n) => {
      const digest = matches.length === 0 ? '' : digestOf(asked[n])
      return matches.slice(0, caller.told).map((match) => ({ ...match, asked: digest }))
    })
    const { principal } = caller.access
    const matches = rows.flat()
    const idOf = await noteApiMatches(db, { principal, matches, nowMs: clock() })
    return rows.map((row, n) => ({
      match_count: found[n]?.length ?? 0,
      matches: row.map((match) => toldAs(match, idOf(match), caller)),
    }))
  }
}

function digestOf(asked: Asked | undefined): string {
  if (asked === undefined) throw new TypeError('each answer has its question')
  return digestOfAsked(asked.type, asked.value)
}

/** What cannot be looked up has an error in its place. */
export async function answerItems(
  items: readonly (Item & { asked: Asked | Wrong })[],
  answering: Answering,
  caller: Caller,
): Promise<ItemAnswer[]> {
  const isAsked = (asked: Asked | Wrong): asked is Asked => typeof asked !== 'string'
  const answers = await answering(items.map(({ asked }) => asked).filter(isAsked), caller)
  let next = 0
  return items.map(({ id, asked }) => ({
    ...(id !== undefined && { id }),
    ...((isAsked(asked) ? answers[next++] : undefined) ?? nothing),
    ...(!isAsked(asked) && { error: asked }),
  }))
}

export function parseItem(
  item: {
    id?: string | number | undefined
    hash_type?: unknown
    hash_value?: unknown
    quality?: unknown
  },
  others: OtherTypes,
): Item & { asked: Asked | Wrong } {
  return { ...(item.id !== undefined && { id: item.id }), asked: parseAsked(item, others) }
}
