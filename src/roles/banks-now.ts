// What the banks say about some blobs, as they are in the database at this moment: every signal compared, no index made.
//
// Promises: the same matches as `Matcher.match` of an index of this generation. Reads only. Ten million signals take
// some seconds and no memory, so it is for questions that people ask, never for scanning.
import { loaderLimits } from '../banks/bank-loader-packed.ts'
import { lookAtHead, readBanks, readState } from '../banks/bank-loader-head.ts'
import { readSignals } from '../banks/bank-loader.ts'
import type { Database } from '../db/client.ts'
import type { Bank, Match } from '../domain/bank.ts'
import type { AnySignalType, Signals } from '../domain/blob.ts'
import { pdqQualityMin } from '../domain/blob.ts'
import { isOfOther, noOtherTypes, typesWith } from '../domain/other-type.ts'
import type { OtherTypes } from '../domain/other-type.ts'
import { bytesOfType } from '../domain/signal-batch.ts'
import { isPerceptual } from '../domain/signal-kind.ts'
import type { AnyBatch, IndexState } from '../domain/signal-batch.ts'
import { variants } from '../domain/variant.ts'
import type { Variant } from '../domain/variant.ts'
import { createHammingScan } from './hamming-scan.ts'
import { stopIfAsked } from './seen-window.ts'
import type { Progress } from './seen-window.ts'
import { createValueTable } from './value-table.ts'
import type { ValueTable } from './value-table.ts'

export type BanksNow = {
  generation: number
  banks: ReadonlyMap<number, Bank>
  /** For each of what was asked about, in the order (bank, content, signal). */
  matches: Match[][]
}

export type Distances = { pdq: number; clip: number }

/** `distances`: other ones than the bank's own, for a question; `banks`: only these. Throws RetryableError when stopped. */
export async function matchNow(options: {
  db: Database
  blobs: readonly Signals[]
  /** The types of plug-ins; without them those are not compared. */
  others?: OtherTypes
  banks?: ReadonlySet<number>
  distances?: (bank: Bank) => Distances
  nowMs: number
  onProgress?: Progress
  signal?: AbortSignal
}): Promise<BanksNow> {
  const { db, blobs, others = noOtherTypes } = options
  const { head } = await lookAtHead(db, 0)
  const banks = await readBanks(db)
  const state = await readState(db, head.generation, banks)
  const within = distancesOf(banks, options)
  const radius = widestOf([...within.values()])
  const found = createFound(blobs.length)
  const types = typesWith(others)
  const searches = new Map(
    types.map((type) => [type, searchFor(type, { blobs, radius, others })] as const),
  )
  const pages = readSignals(db, head.generation, {
    others,
    onPage: ({ signals, percent }) =>
      options.onProgress?.(signals, Math.round((signals * 100) / Math.max(percent, 1))),
  })
  for await (const batch of pages) {
    stopIfAsked(options.signal)
    const { type } = batch
    searches.get(type)?.(batch, (row, { blob, variant }, distance) => {
      const [contentId, bankId] = [batch.contentIds[row] as number, batch.bankIds[row] as number]
      const own = within.get(bankId)
      if (own === undefined || (isPerceptual(type) && distance > own[type])) return
      if (!isEnabled(state, contentId, options.nowMs)) return
      const signalId = batch.signalIds[row] as number
      found.add(blob, { signalId, contentId, bankId, type, distance, variant })
    })
  }
  return { generation: head.generation, banks, matches: found.inOrder() }
}

function widestOf(distances: Distances[]): Distances {
  return distances.reduce(
    (most, one) => ({ pdq: Math.max(most.pdq, one.pdq), clip: Math.max(most.clip, one.clip) }),
    { pdq: 0, clip: 0 },
  )
}

function distancesOf(
  banks: ReadonlyMap<number, Bank>,
  options: { banks?: ReadonlySet<number>; distances?: (bank: Bank) => Distances },
): Map<number, Distances> {
  const own = ({ policy }: Bank) => ({ pdq: policy.pdqDistanceMax, clip: policy.clipDistanceMax })
  const asked = [...banks.values()].filter(({ id }) => options.banks?.has(id) ?? true)
  return new Map(asked.map((bank) => [bank.id, (options.distances ?? own)(bank)]))
}

/** One way in which one of the blobs was looked at. */
type Look = { blob: number; variant: Variant }
type Looks = {
  /** Each value once, by its number in the table; the looks that have it, plainest first. */
  values: ValueTable
  looks: Look[][]
}

function looksOf(type: AnySignalType, { blobs, others }: Asked): Looks {
  const own = blobs.flatMap((signals, blob) =>
    valuesOf(signals, type, others).map(({ variant, value }) => ({ blob, variant, value })),
  )
  const values = createValueTable(own.length, bytesOfType(type, others) ?? 0)
  const looks: Look[][] = []
  for (const { blob, variant, value } of own) {
    const number = values.add(Buffer.from(value, 'hex'), 0)
    looks[number] = [...(looks[number] ?? []), { blob, variant }]
  }
  return { values, looks }
}

type Value = { variant: Variant; value: string }

function valuesOf(signals: Signals, type: AnySignalType, others: OtherTypes): Value[] {
  if (isOfOther(type)) {
    const { version } = others.get(type) ?? {}
    const own = signals.others?.find((one) => one.type === type && one.version === version)
    return own?.value === undefined ? [] : [{ variant: 'original', value: own.value }]
  }
  if (type !== 'pdq') {
    const value = signals[type]
    return value === undefined || value === '' ? [] : [{ variant: 'original', value }]
  }
  const { pdq, variants: more = [] } = signals
  const own = pdq === undefined ? [] : [{ variant: 'original' as const, ...pdq }]
  return [...own, ...more]
    .filter(({ quality }) => quality >= pdqQualityMin)
    .toSorted((a, b) => variants.indexOf(a.variant) - variants.indexOf(b.variant))
    .map(({ variant, hash }) => ({ variant, value: hash }))
}

type OnMatch = (row: number, look: Look, distance: number) => void
type Search = (batch: AnyBatch, onMatch: OnMatch) => void
type Asked = { blobs: readonly Signals[]; radius: Distances; others: OtherTypes }

/** `radius`: the widest of any bank; the caller knows each one's own. */
function searchFor(type: AnySignalType, asked: Asked): Search {
  const { radius, others } = asked
  const { values, looks } = looksOf(type, asked)
  const tell = (onMatch: OnMatch, row: number, number: number, distance: number) => {
    for (const look of looks[number] ?? []) onMatch(row, look, distance)
  }
  if (values.size === 0) return () => undefined
  if (type === 'pdq') {
    const scan = createHammingScan(loaderLimits.pageIds)
    return (batch, onMatch) => {
      scan.setRows(batch.values)
      scan.search(values.bytes(), radius.pdq, (row, number, distance) =>
        tell(onMatch, row, number, distance),
      )
    }
  }
  const width = bytesOfType(type, others) ?? 0
  if (type === 'clip' || isOfOther(type)) {
    const most = type === 'clip' ? radius.clip : (others.get(type)?.radius ?? 0)
    return (batch, onMatch) => {
      for (let row = 0; row < batch.count; row++)
        for (let number = 0; number < values.size; number++) {
          const distance = bitsBetween(
            batch.values,
            row * width,
            values.bytes(),
            number * width,
            width,
          )
          if (distance <= most) tell(onMatch, row, number, distance)
        }
    }
  }
  return (batch, onMatch) => {
    for (let row = 0; row < batch.count; row++) {
      const number = values.find(batch.values, row * width)
      if (number !== -1) tell(onMatch, row, number, 0)
    }
  }
}

export function bitsBetween(
  a: Uint8Array,
  aAt: number,
  b: Uint8Array,
  bAt: number,
  width: number,
): number {
  let bits = 0
  for (let i = 0; i < width; i++) {
    for (
      let differing = (a[aAt + i] as number) ^ (b[bAt + i] as number);
      differing > 0;
      differing >>= 1
    )
      bits += differing & 1
  }
  return bits
}

/** HMA's disable_until_ts: 0 disabled, 1 enabled, else disabled until that unix second. */
function isEnabled({ disabled }: IndexState, contentId: number, nowMs: number): boolean {
  const until = disabled.get(contentId)
  return until === undefined || until === 1 || (until > 1 && until <= nowMs / 1000)
}

/** Each signal once for a blob, by its nearest look; of equal ones the first. */
function createFound(blobs: number) {
  const nearest = Array.from({ length: blobs }, () => new Map<number, Match>())
  return {
    add(blob: number, match: Match) {
      const known = nearest[blob]?.get(match.signalId)
      if (known === undefined || byNearness(match, known) < 0)
        nearest[blob]?.set(match.signalId, match)
    },
    inOrder: () => nearest.map((matches) => [...matches.values()].toSorted(byBank)),
  }
}

function byNearness(a: Match, b: Match): number {
  return a.distance - b.distance || variants.indexOf(a.variant) - variants.indexOf(b.variant)
}

function byBank(a: Match, b: Match): number {
  return a.bankId - b.bankId || a.contentId - b.contentId || a.signalId - b.signalId
}
