// What PDQ still sees after a picture was changed, measured on made pictures: the rates of docs/matching.md.
import sharp from 'sharp'
import { pdqQualityMin } from '../src/domain/blob.ts'
import { variants } from '../src/domain/variant.ts'
import type { Variant } from '../src/domain/variant.ts'
import { allowOnlyOurFormats, decodeImage } from '../src/signals/decode-image.ts'
import { pdqDistance } from '../src/signals/pdq/distance.ts'
import { canaryPicture } from '../src/testing/canary.ts'
import type { Bench, BenchOptions, BenchResult } from './bench.ts'
import { round } from './machine.ts'
import { changes } from './evasion-changes.ts'

const sources = { full: 60, quick: 16 } as const
const distanceMax = 31
const size = { width: 1024, height: 768 } as const
const wideSize = { width: 1024, height: 576 } as const

export const bench: Bench = {
  about: 'how many changed pictures PDQ still matches, plain and with turns and trimming',
  run: measureEvasion,
}

type Look = { variant: Variant; hash: string; quality: number }
type Source = { hash: string; bytes: Buffer }
type Row = { plain: number; turned: number; trimmed: number; all: number; medianDistance: number }

async function measureEvasion({ quick, signal, tell }: BenchOptions): Promise<BenchResult> {
  const wanted = sources[quick ? 'quick' : 'full']
  const pictures = await Promise.all(Array.from({ length: wanted }, (_, seed) => makePicture(seed)))
  const changed = new Map<string, Buffer[]>()
  for (const [name, change] of Object.entries(changes)) {
    signal.throwIfAborted()
    tell(name)
    changed.set(name, await Promise.all(pictures.map((bytes) => change(bytes))))
  }
  // From here on sharp reads our formats only, as in the sandbox.
  allowOnlyOurFormats()
  const bank: Source[] = []
  for (const bytes of pictures) {
    const [original] = await looksOf(bytes)
    if (original !== undefined) bank.push({ hash: original.hash, bytes })
  }
  const rows: [string, Row][] = []
  let nearestWrong = 256
  for (const [name, copies] of changed) {
    signal.throwIfAborted()
    const looks: Look[][] = []
    for (const copy of copies) looks.push(await looksOf(copy))
    rows.push([name, rateOf(looks, bank)])
    nearestWrong = Math.min(nearestWrong, nearestWrongOf(looks, bank))
  }
  return report(rows, { pictures: bank.length, nearestWrong })
}

async function makePicture(seed: number): Promise<Buffer> {
  const bytes = await canaryPicture({ seed, ...(seed % 2 === 0 ? size : wideSize), format: 'png' })
  return await sharp(bytes).jpeg({ quality: 92 }).toBuffer()
}

async function looksOf(bytes: Buffer): Promise<Look[]> {
  const outcome = await decodeImage(bytes)
  if (outcome.kind === 'failed') throw new Error(`a made picture is ${outcome.reason}`)
  const original: Look = { variant: 'original', ...outcome.pdq }
  return [original, ...outcome.variants].filter((look) => look.quality >= pdqQualityMin)
}

const turned = new Set<Variant>(variants.filter((one) => !one.includes('trim')))
const unturned = new Set<Variant>(['original', 'flat', 'trim', 'flat+trim'])

function rateOf(looks: Look[][], bank: Source[]): Row {
  const nearest = (one: Look[], hash: string, keep: (look: Look) => boolean) =>
    Math.min(256, ...one.filter(keep).map((look) => pdqDistance(look.hash, hash)))
  const rate = (keep: (look: Look) => boolean) =>
    round(
      (100 *
        bank.filter(({ hash }, i) => nearest(looks[i] ?? [], hash, keep) <= distanceMax).length) /
        bank.length,
    )
  const plain = bank
    .map(({ hash }, i) => nearest(looks[i] ?? [], hash, (look) => look.variant === 'original'))
    .toSorted((a, b) => a - b)
  return {
    medianDistance: plain[plain.length >> 1] ?? 256,
    plain: rate((look) => look.variant === 'original'),
    turned: rate((look) => turned.has(look.variant)),
    trimmed: rate((look) => unturned.has(look.variant)),
    all: rate(() => true),
  }
}

/** The nearest that any look of a changed picture comes to a picture that it was not made from. */
function nearestWrongOf(looks: Look[][], bank: Source[]): number {
  let least = 256
  for (const [i, one] of looks.entries())
    for (const look of one)
      for (const [j, { hash }] of bank.entries())
        if (i !== j) least = Math.min(least, pdqDistance(look.hash, hash))
  return least
}

function report(
  rows: [string, Row][],
  { pictures, nearestWrong }: { pictures: number; nearestWrong: number },
): BenchResult {
  return {
    figures: {
      pictures,
      nearestWrong,
      ...Object.fromEntries(
        rows.map(([name, row]) => [
          name
            .replaceAll(/[^A-Za-z0-9]+/g, ' ')
            .trim()
            .replaceAll(' ', '_'),
          row.all,
        ]),
      ),
    },
    table: {
      head: ['change', 'median distance', 'plain %', '+ turns %', '+ trim %', 'all %'],
      rows: rows.map(([name, row]) => [
        name,
        row.medianDistance,
        row.plain,
        row.turned,
        row.trimmed,
        row.all,
      ]),
    },
    notes: [
      `Share of ${pictures} made pictures that match their own source at ${distanceMax} bits or less after the change.`,
      `The nearest any of them came to another picture of the bank: ${nearestWrong} bits.`,
    ],
  }
}
