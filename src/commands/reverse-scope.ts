// What a reversal is about: typed in words, kept in words, resolved to ids and moments.
import { bankOfHistory } from '../banks/bank-store.ts'
import { contentHead, ownerOfKey, principalNamed } from '../cases/reversal.ts'
import type { Database } from '../db/client.ts'
import { UsageError } from '../domain/errors.ts'
import type { ReversalScope } from '../steps/reverse.ts'
import { parseSince, parseWhole } from './parse.ts'

const wordNames = ['content', 'bank', 'principal', 'key', 'since', 'until'] as const
export type ScopeWords = Partial<Record<(typeof wordNames)[number], string>>

/** Throws UsageError when nothing, too much or something unknown is named. */
export async function scopeOf(
  db: Database,
  options: ScopeWords & { disable?: boolean },
  nowMs: number,
): Promise<ReversalScope> {
  const as = wordsOf(options)
  const chosen = (['content', 'bank', 'principal', 'key'] as const).filter(
    (name) => options[name] !== undefined,
  )
  if (chosen.length > 1)
    throw new UsageError(
      `${chosen.map((name) => `--${name}`).join(' and ')}: one of them at a time`,
    )
  if (Object.keys(as).length === 0)
    throw new UsageError(
      'reverse needs --content, --bank, --principal, --key or a time (--since, --until)',
    )
  if (chosen.length === 0 && options.disable === true)
    throw new UsageError(
      '--disable needs --content, --bank, --principal or --key: a time alone names no content',
    )
  const since =
    options.since === undefined ? undefined : parseSince(options.since, '--since', nowMs)
  const until =
    options.until === undefined ? undefined : parseSince(options.until, '--until', nowMs)
  if (since !== undefined && until !== undefined && since >= until)
    throw new UsageError('--since is before --until')
  const times = { ...(since && { since }), ...(until && { until }), as }
  if (options.content !== undefined) {
    const content = parseWhole(options.content, '--content', { min: 1, max: 2_147_483_647 })
    await contentHead(db, content)
    return { ...times, content }
  }
  if (options.bank !== undefined)
    return { ...times, bank: (await bankOfHistory(db, options.bank)).id }
  if (options.principal !== undefined)
    return { ...times, principal: await principalNamed(db, options.principal) }
  if (options.key === undefined) return times
  const owner = await ownerOfKey(db, options.key)
  return {
    ...times,
    key: options.key,
    principal: owner.principal,
    addedSince: owner.createdAt,
    ...(owner.validUntil && { addedUntil: owner.validUntil }),
  }
}

/** What was chosen, as it was typed. */
function wordsOf(options: ScopeWords): Record<string, string> {
  return Object.fromEntries(
    wordNames.flatMap((name) => (options[name] === undefined ? [] : [[name, options[name]]])),
  )
}

export function scopeInWords(words: Record<string, string | number>): string {
  const { since, until, ...chosen } = words
  const [name, value] = Object.entries(chosen)[0] ?? []
  return [
    name === undefined ? 'what was released' : `what ${name} ${value} caused`,
    ...(since === undefined ? [] : [`since ${since}`]),
    ...(until === undefined ? [] : [`until ${until}`]),
  ].join(' ')
}
