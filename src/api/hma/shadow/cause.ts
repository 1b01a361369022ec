// Why a content was found on one side only: the side that did not find it is asked what it knows of the bank and the content.
//
// Promises: reads only, and never signals; a few questions a difference; what is not told or not asked is said to be so.
import { readYesNo } from '../lax.ts'
import { contentsFound } from './compare.ts'
import type { Call, Reply } from './compare.ts'

export type Side = 'theirs' | 'ours'

/**
 * `no-bank`, `no-content`: it is not there. `disabled`: there, and set aside. `ratio`: its bank is asked for a share of the
 * lookups, or none. `has-it`: there and in use, so its index, a distance or a harmless look-alike decided. `not-told`: no
 * right to see it, or no answer. `not-asked`: more than are asked about.
 */
export type Cause =
  'no-bank' | 'no-content' | 'disabled' | 'ratio' | 'has-it' | 'not-told' | 'not-asked'

/** A content that `side` did not find. */
export type Lack = { side: Side; bank: string; cause: Cause }

export const causeLimits = { contentsMax: 5 } as const

export async function causesOf(
  replies: Record<Side, Reply>,
  ask: (side: Side, target: string) => Promise<Reply>,
  nowSeconds: number,
): Promise<Lack[]> {
  const lacks: Lack[] = []
  for (const { side, bank, content } of lacking(replies)) {
    const cause =
      lacks.length < causeLimits.contentsMax
        ? await causeOf((target) => ask(side, target), { bank, content }, nowSeconds)
        : 'not-asked'
    lacks.push({ side, bank, cause })
  }
  return lacks
}

/** Each side drew for itself which banks to ask, and that is all. */
export function isDraw({ query }: Pick<Call, 'query'>, lacks: readonly Lack[]): boolean {
  if (query.has('seed') || readYesNo(query.get('bypass_coinflip')) === true) return false
  return lacks.length > 0 && lacks.every(({ cause }) => cause === 'ratio')
}

/** `ours PLAIN no-content` -> how many contents. */
export function counted(lacks: readonly Lack[]): Record<string, number> {
  const names = lacks.map(({ side, bank, cause }) => `${side} ${bank} ${cause}`)
  return Object.fromEntries(
    [...Map.groupBy(names, String)].map(([name, all]) => [name, all.length]),
  )
}

/** Contents by their numbers, which an import keeps. */
function* lacking(
  replies: Record<Side, Reply>,
): Generator<{ side: Side; bank: string; content: number }> {
  const found = { theirs: contentsFound(replies.theirs), ours: contentsFound(replies.ours) }
  for (const [side, other] of [
    ['ours', 'theirs'],
    ['theirs', 'ours'],
  ] as const) {
    for (const [bank, contents] of found[other]) {
      for (const content of contents)
        if (found[side].get(bank)?.has(content) !== true) yield { side, bank, content }
    }
  }
}

async function causeOf(
  ask: (target: string) => Promise<Reply>,
  { bank, content }: { bank: string; content: number },
  nowSeconds: number,
): Promise<Cause> {
  try {
    const reply = await ask(`/c/bank/${encodeURIComponent(bank)}/content/${content}`)
    if (reply.status === 200) return causeIn(reply.body, nowSeconds)
    // Not to be taken for a side that shows no banks at all.
    const banks = reply.status === 404 ? await ask('/c/banks') : reply
    if (banks.status !== 200) return 'not-told'
    const isThere = (JSON.parse(banks.body) as { name?: unknown }[]).some(
      ({ name }) => name === bank,
    )
    return isThere ? 'no-content' : 'no-bank'
  } catch {
    // A side that does not answer has told nothing.
    return 'not-told'
  }
}

function causeIn(body: string, nowSeconds: number): Cause {
  const content = JSON.parse(body) as {
    id?: unknown
    disable_until_ts?: unknown
    bank?: { matching_enabled_ratio?: unknown }
  }
  if (content.id === undefined) return 'not-told'
  const until = Number(content.disable_until_ts ?? 1)
  if (until === 0 || (until !== 1 && until > nowSeconds)) return 'disabled'
  return Number(content.bank?.matching_enabled_ratio ?? 1) < 1 ? 'ratio' : 'has-it'
}
