// Hostile bytes to pixels to PDQ. Runs in the sandboxed child only: importing sharp loads native decoders.
//
// The decoders of one class and no other are reachable. The header is read first and too large a picture is refused
// before a pixel is decoded. Strict first; what fails is tried once more with its errors overlooked, because a picture
// that browsers show and we refuse would be a way past us. Pixels are decoded once, whatever is then looked at.
import sharp, { type Metadata, type SharpOptions } from 'sharp'
import type { PdqVariant } from '../domain/blob.ts'
import type { DecodeOutcome, DecodeReason } from './decode-answer.ts'
import { plainGrid } from './pdq/grid.ts'
import { pdqHash, type Pdq } from './pdq/hash.ts'
import { lookAt, pdqQualityMin } from './pdq/looks.ts'
import type { GridOf, Picture } from './pdq/picture.ts'
import { pixelsMax, sideMax } from './picture-limits.ts'

/** AVIF has children of its own: its decoder is large, and nobody else's picture shall meet what took it over. */
export type DecoderClass = 'common' | 'avif'

const loaders = {
  common: [
    'VipsForeignLoadJpegBuffer',
    'VipsForeignLoadPngBuffer',
    'VipsForeignLoadWebpBuffer',
    'VipsForeignLoadNsgifBuffer',
  ],
  avif: ['VipsForeignLoadHeifBuffer'],
} satisfies Record<DecoderClass, string[]>

export function allowOnlyOurFormats(decoderClass: DecoderClass = 'common'): void {
  sharp.block({ operation: ['VipsForeignLoad'] })
  sharp.unblock({ operation: loaders[decoderClass] })
  sharp.concurrency(1)
  sharp.cache(false)
}

/** Never throws for what is in the bytes. */
export async function decodeImage(
  bytes: Buffer,
  gridOf: GridOf = plainGrid,
): Promise<DecodeOutcome> {
  let metadata: Metadata
  try {
    // Our own check of the size follows, so that too many pixels get their own reason.
    metadata = await sharp(bytes, { failOn: 'none', limitInputPixels: false }).metadata()
  } catch (error) {
    return { kind: 'failed', reason: reasonOf(error) }
  }
  const { width, height } = metadata
  if (width > sideMax || height > sideMax || width * height > pixelsMax) {
    return { kind: 'failed', reason: 'too-many-pixels' }
  }
  const animated = (metadata.pages ?? 1) > 1
  try {
    const found = await look(bytes, metadata, { failOn: 'error', gridOf })
    return { kind: 'decoded', width, height, ...found, animated, malformed: false }
  } catch (error) {
    if (reasonOf(error) === 'decoder-memory') return { kind: 'failed', reason: 'decoder-memory' }
  }
  try {
    const found = await look(bytes, metadata, { failOn: 'none', gridOf })
    return { kind: 'decoded', width, height, ...found, animated, malformed: true }
  } catch (error) {
    return { kind: 'failed', reason: reasonOf(error) }
  }
}

/** No EXIF turn and no colour profile, as the reference has it. */
async function look(
  bytes: Buffer,
  metadata: Metadata,
  { failOn, gridOf }: { failOn: 'error' | 'none'; gridOf: GridOf },
): Promise<{ pdq: Pdq; variants: PdqVariant[] }> {
  const options: SharpOptions = {
    failOn,
    limitInputPixels: pixelsMax,
    ignoreIcc: true,
    sequentialRead: true,
  }
  const isGrey16 = metadata.space === 'grey16' && !metadata.hasAlpha
  const picture = await (isGrey16 ? grey16(bytes, options, gridOf) : colours(bytes, options))
  try {
    return lookAt(picture, gridOf)
  } finally {
    letGo(picture.pixels)
  }
}

/**
 * Frees pixels at once. Left to the collector, each picture would be decoded into pages that the kernel has to clear first,
 * and every few pictures the whole heap would be walked for megabytes that lie outside of it: a fifth of all the time.
 */
function letGo(pixels: Uint8Array): void {
  const { buffer } = pixels
  // A part of a larger buffer is not ours to free.
  if (buffer instanceof ArrayBuffer && buffer.byteLength === pixels.byteLength) buffer.transfer(0)
}

/** 16-bit colour is scaled, as PIL does it; grey with alpha comes out as colour with alpha. */
async function colours(bytes: Buffer, options: SharpOptions): Promise<Picture> {
  const { data, info } = await sharp(bytes, options)
    .toColourspace('srgb')
    .raw()
    .toBuffer({ resolveWithObject: true })
  const { width, height, channels } = info
  if (channels === 2) throw new Error('grey with alpha did not become colour')
  return { pixels: data, width, height, channels }
}

/** 16-bit grey is cut off at 255 as PIL does it, unless nothing to compare is left. */
async function grey16(bytes: Buffer, options: SharpOptions, gridOf: GridOf): Promise<Picture> {
  const { data, info } = await sharp(bytes, options)
    .toColourspace('grey16')
    .raw({ depth: 'ushort' })
    .toBuffer({ resolveWithObject: true })
  const { width, height } = info
  const cut = clipped(data)
  const isClear = pdqHash(cut, width, height, 1, gridOf).quality >= pdqQualityMin
  // A known picture stored as 16-bit grey is all white once it is cut off, and would never be compared.
  const pixels = isClear ? cut : scaled(data)
  letGo(data)
  return { pixels, width, height, channels: 1 }
}

function clipped(words: Buffer): Uint8Array {
  const pixels = new Uint8ClampedArray(words.length / 2)
  for (let i = 0; i < pixels.length; i++) pixels[i] = words.readUInt16LE(i * 2)
  return new Uint8Array(pixels.buffer)
}

function scaled(words: Buffer): Uint8Array {
  const pixels = new Uint8Array(words.length / 2)
  for (let i = 0; i < pixels.length; i++) pixels[i] = words[i * 2 + 1] as number
  return pixels
}

/** libvips says what went wrong in words only. */
function reasonOf(error: unknown): DecodeReason {
  const message = error instanceof Error ? error.message : ''
  if (/unsupported image format/i.test(message)) return 'unsupported-format'
  if (/exceeds pixel limit/i.test(message)) return 'too-many-pixels'
  if (/memory|alloc/i.test(message)) return 'decoder-memory'
  return 'corrupt'
}
