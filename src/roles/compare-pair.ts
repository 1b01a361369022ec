// How far two things are apart, by type and variant, and for which banks that is near enough. The first is looked at turned,
// mirrored and trimmed where that is known, as a scan looks at it; the second is taken as it is, as a bank has it.
import { storedScan } from '../cases/explain-blob.ts'
import type { Database } from '../db/client.ts'
import { policyDefaults } from '../domain/bank.ts'
import type { Bank } from '../domain/bank.ts'
import { pdqQualityMin, signalDigits } from '../domain/blob.ts'
import type { AnySignalType, Signals, SignalType } from '../domain/blob.ts'
import { blobDigest } from '../domain/cid.ts'
import { UsageError } from '../domain/errors.ts'
import type { OtherTypes } from '../domain/other-type.ts'
import { isPerceptual } from '../domain/signal-kind.ts'
import { signalsOf } from '../domain/stored-signals.ts'
import type { Variant } from '../domain/variant.ts'
import { pdqDistance } from '../signals/pdq/distance.ts'
import { bitsBetween } from './banks-now.ts'
import { maxOf } from './explain-now.ts'

/** A signal of another type has no sha256: it is the empty text there. */
export type Comparable = { what: string; signals: Signals; unscannable?: string; cid?: string }

export type PairDistance = {
  type: AnySignalType
  /** Bits; of digests 0 when they are equal, null when they are not. */
  distance: number | null
  /** What is done to the first of the two to bring it nearest to the second. */
  variant?: Variant
  hashes?: [string, string]
}

export type PairThreshold = {
  bank: string
  type: AnySignalType
  permitted: number
  matches: boolean
}

/** `type`: what a signal in hex is; undefined: all that its length permits. */
export type KnownTypes = { type: string | undefined; others: OtherTypes }

/** A blob CID or a signal in hex. A stored blob has all that its scan computed; another one only its name. */
export async function comparableOf(
  db: Database,
  what: string,
  known: KnownTypes,
): Promise<Comparable> {
  const cid = blobDigest(what)
  if (cid === undefined) return ofHex(what, known)
  const scan = await storedScan(db, cid)
  return { what, cid, signals: scan === undefined ? { sha256: cid } : signalsOf(cid, scan.signals) }
}

export function distancesOf(
  { signals: a }: Comparable,
  { signals: b }: Comparable,
): PairDistance[] {
  const distances: PairDistance[] = []
  for (const type of ['sha256', 'md5', 'sha1'] as const) {
    if (a[type] && b[type]) distances.push({ type, distance: a[type] === b[type] ? 0 : null })
  }
  if (a.clip !== undefined && b.clip !== undefined)
    distances.push({ type: 'clip', distance: clipDistance(a.clip, b.clip) })
  for (const { type, version, value } of a.others ?? []) {
    const other = b.others?.find((one) => one.type === type && one.version === version)
    if (value === undefined || other?.value === undefined) continue
    const [one, two] = [Buffer.from(value, 'hex'), Buffer.from(other.value, 'hex')]
    distances.push({ type, distance: bitsBetween(one, 0, two, 0, one.length) })
  }
  const second = b.pdq
  if (a.pdq === undefined || second === undefined) return distances
  const first = [{ variant: 'original' as const, ...a.pdq }, ...(a.variants ?? [])]
  const [nearest] = first
    .filter(({ quality }) => quality >= pdqQualityMin && second.quality >= pdqQualityMin)
    .map(({ variant, hash }) => ({ variant, hash, distance: pdqDistance(hash, second.hash) }))
    .toSorted((x, y) => x.distance - y.distance)
  if (nearest === undefined) return distances
  const { variant, hash, distance } = nearest
  return [...distances, { type: 'pdq', distance, variant, hashes: [hash, second.hash] }]
}

function clipDistance(a: string, b: string): number {
  const halves = [0, 64].map((at) => pdqDistance(a.slice(at, at + 64), b.slice(at, at + 64)))
  return halves.reduce((sum, half) => sum + half, 0)
}

/** Without a bank the default distance tells. */
export function thresholdsFor(
  { type, distance }: PairDistance,
  banks: readonly Bank[],
  others: OtherTypes,
): PairThreshold[] {
  const radius = others.get(type)?.radius
  const usual = type === 'clip' ? policyDefaults.clipDistanceMax : policyDefaults.pdqDistanceMax
  const rows =
    banks.length === 0
      ? [{ bank: '(the default)', permitted: radius ?? (isPerceptual(type) ? usual : 0) }]
      : banks.map((bank) => ({ bank: bank.name, permitted: radius ?? maxOf(type, bank) ?? 0 }))
  return rows.map((row) => ({
    ...row,
    type,
    matches: distance !== null && distance <= row.permitted,
  }))
}

/** 64 digits may be a sha256 or a PDQ hash: both, unless `type` says which. Turns of a PDQ hash are looked at too. */
function ofHex(what: string, { type, others }: KnownTypes): Comparable {
  const value = what.toLowerCase()
  const fits = (one: SignalType) =>
    (type === undefined || type === one) && value.length === signalDigits[one]
  const types = (Object.keys(signalDigits) as SignalType[]).filter(fits)
  const ofOthers = [...others.values()].filter(
    (rule) => (type === undefined || type === rule.type) && value.length === rule.digits,
  )
  if (!/^[0-9a-f]+$/.test(value) || types.length + ofOthers.length === 0) {
    const wanted = type === undefined ? '' : ` of type ${type}`
    throw new UsageError(`${what} is no signal${wanted} in hex and no blob CID`)
  }
  const stored = {
    pdq: fits('pdq') ? value : null,
    quality: 100,
    md5: fits('md5') ? value : null,
    sha1: fits('sha1') ? value : null,
    variants: [],
    others: ofOthers.map(({ type, version }) => ({
      ...{ type, version, value, quality: null, refused: false },
    })),
  }
  return {
    what,
    signals: {
      ...signalsOf(fits('sha256') ? value : '', stored),
      ...(fits('clip') && { clip: value }),
    },
  }
}
