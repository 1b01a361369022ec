// One picture looked at in up to 32 ways, so that a known one is found again mirrored, turned, framed or half transparent.
import type { PdqVariant } from '../../domain/blob.ts'
import type { Variant, View } from '../../domain/variant.ts'
import type { TurnedHash } from './frequencies.ts'
import { pdqHashes, type Pdq } from './hash.ts'
import { hasTransparency, wholeOf, type GridOf, type Look, type Picture } from './picture.ts'
import { withoutBorder } from './trim.ts'

/** As domain/blob.ts has it; the decoder's child may read no folder but signals/. */
export const pdqQualityMin = 50

/**
 * `pdq`: what the reference gives. `variants`: all else that is worth comparing, plainest first, each hash once and of
 * quality 50 or more. A plain picture of less has no turns, but may have a border whose inside is good enough.
 */
export function lookAt(picture: Picture, gridOf: GridOf): { pdq: Pdq; variants: PdqVariant[] } {
  const whole: Look = { picture, area: wholeOf(picture), onWhite: false }
  const plain = pdqHashes(whole, gridOf)
  const pdq = { hash: plain.hashes[0]!.hash, quality: plain.quality }
  const variants: PdqVariant[] = []
  const seen = new Set<string>()
  const add = (view: View, { quality, hashes }: { quality: number; hashes: TurnedHash[] }) => {
    // A view whose own hash is known shows what another view has shown.
    if (quality < pdqQualityMin || seen.has(hashes[0]!.hash)) return
    for (const { turn, hash } of hashes) {
      if (!seen.has(hash)) variants.push({ variant: variantName(view, turn), hash, quality })
      seen.add(hash)
    }
  }
  add('plain', plain)
  for (const { view, look } of otherViews(whole)) add(view, pdqHashes(look, gridOf))
  return { pdq, variants: variants.filter(({ variant }) => variant !== 'original') }
}

function otherViews(whole: Look): { view: View; look: Look }[] {
  const flat = hasTransparency(whole.picture) ? { ...whole, onWhite: true } : undefined
  return [
    ...(flat === undefined ? [] : [{ view: 'flat' as const, look: flat }]),
    ...trimmed('trim', whole),
    ...(flat === undefined ? [] : trimmed('flat+trim', flat)),
  ]
}

function trimmed(view: View, look: Look): { view: View; look: Look }[] {
  const area = withoutBorder(look)
  return area === undefined ? [] : [{ view, look: { ...look, area } }]
}

/** As variantOf in domain/variant.ts, which the child may not read. */
function variantName(view: View, turn: TurnedHash['turn']): Variant {
  if (view === 'plain') return turn
  return turn === 'original' ? view : `${view}+${turn}`
}
