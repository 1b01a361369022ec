// Signals as they are stored with a blob, and all that follows from them.
import type { Hex, OtherSignal, OtherType, PdqVariant, Signals } from './blob.ts'
import { pdqQualityMin } from './blob.ts'
import { turnsOfHash } from './pdq-turns.ts'
import { variantOf, views } from './variant.ts'
import type { Variant, View } from './variant.ts'

/** A view's name is its variant's name when the picture was not turned. */
export type StoredView = Exclude<View, 'plain'>
export const storedViews: readonly StoredView[] = views.filter((view) => view !== 'plain')

export type StoredVariant = { variant: StoredView; hash: Hex; quality: number }

export type StoredSignals = {
  pdq: Hex | null
  quality: number | null
  md5: Hex | null
  sha1: Hex | null
  /** Few pictures have any. */
  variants: readonly StoredVariant[]
  others: readonly StoredOther[]
}

/** `value` null: the plug-in has none for the blob, or refused it. */
export type StoredOther = {
  type: OtherType
  version: string
  value: Hex | null
  quality: number | null
  refused: boolean
}

/** Turned and mirrored forms are not stored; they follow from the hash of each view. */
export function signalsOf(sha256: Hex, stored: StoredSignals): Signals {
  const { pdq, quality, md5, sha1, others } = stored
  const variants = [
    ...(pdq === null ? [] : turnedFrom('plain', pdq, quality ?? 0)),
    ...storedViews.flatMap((view) => {
      const found = stored.variants.find(({ variant }) => variant === view)
      if (found === undefined) return []
      return [found, ...turnedFrom(view, found.hash, found.quality)]
    }),
  ].filter((variant) => variant.quality >= pdqQualityMin)
  return {
    sha256,
    ...(md5 !== null && { md5 }),
    ...(sha1 !== null && { sha1 }),
    ...(pdq !== null && { pdq: { hash: pdq, quality: quality ?? 0 } }),
    ...(variants.length > 0 && { variants }),
    ...(others.length > 0 && { others: others.map(otherSignal) }),
  }
}

function otherSignal({ type, version, value, quality, refused }: StoredOther): OtherSignal {
  return {
    ...{ type, version },
    ...(value !== null && { value }),
    ...(quality !== null && { quality }),
    ...(refused && { refused }),
  }
}

function turnedFrom(view: View, hash: Hex, quality: number): PdqVariant[] {
  return turnsOfHash(hash).map((turned) => ({
    variant: variantOf(view, turned.turn),
    hash: turned.hash,
    quality,
  }))
}

/** What of a picture's variants is stored: its views as uploaded. */
export function variantsToStore({ variants }: Pick<Signals, 'variants'>): StoredVariant[] {
  return storedViews.flatMap((view) => {
    const found = variants?.find(({ variant }) => variant === (view satisfies Variant))
    return found === undefined ? [] : [{ ...found, variant: view }]
  })
}

/** A picture that says too little for PDQ, however it is looked at: it is compared by its digests alone. */
export function isLowQuality({ pdq, variants }: Signals): boolean {
  return pdq !== undefined && pdq.quality < pdqQualityMin && (variants ?? []).length === 0
}

export function othersToStore({ others = [] }: Pick<Signals, 'others'>): StoredOther[] {
  return others.map(({ type, version, value = null, quality = null, refused = false }) => ({
    ...{ type, version, value, quality, refused },
  }))
}
