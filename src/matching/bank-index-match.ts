// What is asked of the parts for a lookup, and what is made of their answers.
import { pdqQualityMin } from '../domain/blob.ts'
import type { AnySignalType, Signals } from '../domain/blob.ts'
import type { Match } from '../domain/bank.ts'
import { noOtherTypes } from '../domain/other-type.ts'
import type { MatchOptions } from '../domain/ports.ts'
import type { IndexState } from '../domain/signal-batch.ts'
import { isPerceptual } from '../domain/signal-kind.ts'
import { variants } from '../domain/variant.ts'
import type { Variant } from '../domain/variant.ts'
import type { SearchableParts } from './bank-index-parts.ts'
import type { RowHit } from './index-part.ts'
import { queryOf } from './other-part.ts'

/** One search of one part. `looks[i]` is how the picture was looked at for query i, plainest first. */
export type Search = { type: AnySignalType; queries: Uint8Array; radius: number; looks: Variant[] }

const original: Variant[] = ['original']
const rank = new Map(variants.map((variant, n) => [variant, n] as const))

/** At most one search a type; none where no bank could match. */
export function searchesOf(
  signals: Signals,
  { distanceMax }: IndexState,
  options: MatchOptions = {},
  others = noOtherTypes,
): Search[] {
  const searches: Search[] = []
  for (const type of ['sha256', 'md5', 'sha1'] as const) {
    const hex = signals[type]
    if (hex !== undefined)
      searches.push({ type, queries: Buffer.from(hex, 'hex'), radius: 0, looks: original })
  }
  const radiusOf = (type: 'pdq' | 'clip') => {
    let radius = -1
    for (const max of distanceMax.values()) radius = Math.max(radius, max[type])
    return Math.min(radius, options.distanceMax?.[type] ?? radius)
  }
  const pictures = picturesOf(signals)
  if (pictures.length > 0 && radiusOf('pdq') >= 0) {
    searches.push({
      type: 'pdq',
      queries: Buffer.from(pictures.map(({ hash }) => hash).join(''), 'hex'),
      radius: radiusOf('pdq'),
      looks: pictures.map(({ variant }) => variant),
    })
  }
  if (signals.clip !== undefined && radiusOf('clip') >= 0) {
    const queries = Buffer.from(signals.clip, 'hex')
    searches.push({ type: 'clip', queries, radius: radiusOf('clip'), looks: original })
  }
  for (const rule of others.values()) {
    const queries = queryOf(rule, signals.others)
    if (queries !== undefined)
      searches.push({ type: rule.type, queries, radius: rule.radius, looks: original })
  }
  return searches
}

export type Found = { search: Search; hits: RowHit[] }

/** For each list what its searches find. They are of one state and one choice, so those of a type have one radius and are made as one. */
export async function searchTogether(
  many: readonly Search[][],
  parts: SearchableParts,
): Promise<Found[][]> {
  const found = many.map((searches) => searches.map((search): Found => ({ search, hits: [] })))
  const byType = Map.groupBy(found.flat(), ({ search }) => search.type)
  await Promise.all(
    [...byType].map(async ([type, own]) => {
      const queries = Buffer.concat(own.map(({ search }) => search.queries))
      const hits = await parts[type]!.search(queries, own[0]!.search.radius)
      if (hits.length === 0) return
      const owners = own.flatMap((of) => of.search.looks.map((_, query) => ({ of, query })))
      for (const hit of hits) {
        const { of, query } = owners[hit.query]!
        of.hits.push({ ...hit, query })
      }
    }),
  )
  return found
}

/** Those that may be compared, plainest first. */
function picturesOf({ pdq, variants }: Signals): { variant: Variant; hash: string }[] {
  return [
    ...(pdq === undefined ? [] : [{ variant: 'original' as const, ...pdq }]),
    ...(variants ?? []),
  ]
    .filter(({ quality }) => quality >= pdqQualityMin)
    .toSorted((a, b) => rank.get(a.variant)! - rank.get(b.variant)!)
}

/** Keeps what lies within its bank's distance and is enabled, each signal by its nearest look, in the order of answers. */
export function matchesOf(
  found: readonly Found[],
  { disabled, distanceMax }: IndexState,
  nowSeconds: number,
): Match[] {
  const matches: Match[] = []
  for (const { search, hits } of found) {
    const nearest = new Map<number, RowHit>()
    for (const hit of hits) {
      if (!isNear(hit, search.type, distanceMax)) continue
      if (isDisabled(disabled.get(hit.contentId), nowSeconds)) continue
      const best = nearest.get(hit.signalId)
      if (best === undefined || isNearer(hit, best)) nearest.set(hit.signalId, hit)
    }
    for (const { signalId, contentId, bankId, query, distance } of nearest.values()) {
      const variant = search.looks[query]!
      matches.push({ signalId, contentId, bankId, type: search.type, distance, variant })
    }
  }
  return matches.sort(
    (a, b) => a.bankId - b.bankId || a.contentId - b.contentId || a.signalId - b.signalId,
  )
}

function isNear(hit: RowHit, type: AnySignalType, distanceMax: IndexState['distanceMax']): boolean {
  if (!isPerceptual(type)) return true
  return hit.distance <= (distanceMax.get(hit.bankId)?.[type] ?? -1)
}

function isNearer(a: RowHit, b: RowHit): boolean {
  return a.distance < b.distance || (a.distance === b.distance && a.query < b.query)
}

/** HMA's disable_until_ts: 0 for ever, 1 not at all, else until that unix second. */
function isDisabled(until: number | undefined, nowSeconds: number): boolean {
  return until !== undefined && until !== 1 && (until === 0 || until > nowSeconds)
}
