// Hostile bytes to pixels to PDQ. Runs in the sandboxed child only: importing sharp loads native decoders.
//
// Four decoders and no other are reachable. The header is read first and too large a picture is refused before a pixel is
// decoded. Strict first; what fails is tried once more with its errors overlooked, because a picture that browsers
// show and we refuse would be a way past us.
import sharp, { type Metadata, type SharpOptions } from 'sharp'
import { pixelsMax, sideMax, type DecodeOutcome, type DecodeReason } from './decode-answer.ts'
import { pdqHash, type Pdq } from './pdq/hash.ts'

/** As domain/blob.ts has it; the child may read no folder but this one. */
const pdqQualityMin = 50

export function allowOnlyOurFormats(): void {
  sharp.block({ operation: ['VipsForeignLoad'] })
  sharp.unblock({
    operation: [
      'VipsForeignLoadJpegBuffer',
      'VipsForeignLoadPngBuffer',
      'VipsForeignLoadWebpBuffer',
      'VipsForeignLoadNsgifBuffer',
    ],
  })
  sharp.concurrency(1)
  sharp.cache(false)
}

/** Never throws for what is in the bytes. */
export async function decodeImage(bytes: Buffer): Promise<DecodeOutcome> {
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
    const pdq = await pixelHash(bytes, metadata, 'error')
    return { kind: 'decoded', width, height, pdq, animated, malformed: false }
  } catch (error) {
    if (reasonOf(error) === 'decoder-memory') return { kind: 'failed', reason: 'decoder-memory' }
  }
  try {
    const pdq = await pixelHash(bytes, metadata, 'none')
    return { kind: 'decoded', width, height, pdq, animated, malformed: true }
  } catch (error) {
    return { kind: 'failed', reason: reasonOf(error) }
  }
}

/**
 * What the reference hashes: every pixel, alpha dropped and not flattened, no EXIF turn, no colour profile.
 * 16-bit grey is cut off at 255 as PIL does it, unless nothing to compare is left; 16-bit colour is scaled, as PIL does that.
 */
async function pixelHash(
  bytes: Buffer,
  metadata: Metadata,
  failOn: 'error' | 'none',
): Promise<Pdq> {
  const options: SharpOptions = {
    failOn,
    limitInputPixels: pixelsMax,
    ignoreIcc: true,
    sequentialRead: true,
  }
  if (metadata.space === 'grey16' && !metadata.hasAlpha) {
    const { data, info } = await sharp(bytes, options)
      .toColourspace('grey16')
      .raw({ depth: 'ushort' })
      .toBuffer({ resolveWithObject: true })
    const cut = pdqHash(clipped(data), info.width, info.height, 1)
    if (cut.quality >= pdqQualityMin) return cut
    // A known picture stored as 16-bit grey is all white once it is cut off, and would never be compared.
    return pdqHash(scaled(data), info.width, info.height, 1)
  }
  const { data, info } = await sharp(bytes, options)
    .removeAlpha()
    .toColourspace('srgb')
    .raw()
    .toBuffer({ resolveWithObject: true })
  return pdqHash(data, info.width, info.height, info.channels === 1 ? 1 : 3)
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
