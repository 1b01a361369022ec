// What bytes are, by the bytes alone: a declared type is whatever the uploader likes.
//
// Pure, bounded, and on the side of caution: what a viewer might show as a picture or play as a video must not pass as
// `other`, because `other` needs digests only. Sources: mimesniff.spec.whatwg.org, the formats' own specifications.
import type { MediaKind } from '../domain/blob.ts'
import { pngIsAnimated, webpIsAnimated } from './animation.ts'

export type Sniffed = {
  media: MediaKind
  /** `jpeg`, `png`, `mp4`, …; `unknown` when nothing fits. */
  format: string
  /** Seen in the bytes. False says little for a GIF: only its decoder counts frames. */
  animated: boolean
}

const textBytesMax = 4096

export function sniff(bytes: Uint8Array): Sniffed {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const found =
    signatures.find(({ at = 0, starts }) => matches(view, at, starts)) ??
    boxFormat(view) ??
    textFormat(view)
  if (found === undefined) return { media: 'other', format: 'unknown', animated: false }
  const { media, format } = found
  const animated =
    (format === 'png' && pngIsAnimated(view)) ||
    (format === 'webp' && webpIsAnimated(view)) ||
    (format === 'avif' && hasBrand(view, 'avis'))
  return { media, format, animated }
}

type Format = { media: MediaKind; format: string }
type Signature = Format & { at?: number; starts: string }

/** `starts` is Latin-1 text, `?` stands for any byte. The first that fits counts. */
const signatures: Signature[] = [
  { media: 'image', format: 'jpeg', starts: '\xff\xd8\xff' },
  { media: 'image', format: 'png', starts: '\x89PNG\r\n\x1a\n' },
  { media: 'image', format: 'gif', starts: 'GIF87a' },
  { media: 'image', format: 'gif', starts: 'GIF89a' },
  { media: 'image', format: 'webp', starts: 'RIFF????WEBP' },
  { media: 'image', format: 'tiff', starts: 'II*\0' },
  { media: 'image', format: 'tiff', starts: 'MM\0*' },
  { media: 'image', format: 'tiff', starts: 'II+\0' },
  { media: 'image', format: 'tiff', starts: 'MM\0+' },
  // Two letters alone would catch text: bytes 6 to 9 are reserved and zero.
  { media: 'image', format: 'bmp', starts: 'BM????\0\0\0\0' },
  { media: 'image', format: 'ico', starts: '\0\0\x01\0' },
  { media: 'image', format: 'ico', starts: '\0\0\x02\0' },
  { media: 'image', format: 'jxl', starts: '\xff\x0a' },
  { media: 'image', format: 'jxl', starts: '\0\0\0\x0cJXL \r\n\x87\n' },
  { media: 'image', format: 'jpeg2000', starts: '\0\0\0\x0cjP  \r\n\x87\n' },
  { media: 'image', format: 'jpeg2000', starts: '\xff\x4f\xff\x51' },
  { media: 'image', format: 'jpegxr', starts: 'II\xbc' },
  { media: 'image', format: 'psd', starts: '8BPS' },
  { media: 'video', format: 'matroska', starts: '\x1a\x45\xdf\xa3' },
  { media: 'video', format: 'avi', starts: 'RIFF????AVI ' },
  { media: 'video', format: 'flv', starts: 'FLV\x01' },
  { media: 'video', format: 'ogg', starts: 'OggS' },
  { media: 'video', format: 'asf', starts: '\x30\x26\xb2\x75\x8e\x66\xcf\x11' },
  { media: 'video', format: 'mpeg', starts: '\0\0\x01\xba' },
  { media: 'video', format: 'mpeg', starts: '\0\0\x01\xb3' },
  { media: 'other', format: 'pdf', starts: '%PDF-' },
  { media: 'other', format: 'wav', starts: 'RIFF????WAVE' },
  { media: 'other', format: 'flac', starts: 'fLaC' },
  { media: 'other', format: 'mp3', starts: 'ID3' },
  { media: 'other', format: 'zip', starts: 'PK\x03\x04' },
  { media: 'other', format: 'gzip', starts: '\x1f\x8b' },
]

function matches(bytes: Buffer, at: number, starts: string): boolean {
  if (bytes.length < at + starts.length) return false
  for (let i = 0; i < starts.length; i++) {
    if (starts[i] !== '?' && bytes[at + i] !== starts.charCodeAt(i)) return false
  }
  return true
}

const imageBrands: Record<string, string> = {
  avif: 'avif',
  avis: 'avif',
  heic: 'heic',
  heix: 'heic',
  hevc: 'heic',
  heim: 'heic',
  heis: 'heic',
  mif1: 'heic',
  msf1: 'heic',
  'crx ': 'raw',
}
const audioBrands = ['M4A ', 'M4B ', 'F4A ']

/** Files made of boxes (ISO 14496-12): the pictures by their brand, nearly everything else is video. */
function boxFormat(bytes: Buffer): Format | undefined {
  if (bytes.length < 12) return undefined
  const type = bytes.toString('latin1', 4, 8)
  if (type === 'ftyp') {
    const brand = bytes.toString('latin1', 8, 12)
    const image = hasBrand(bytes, 'avif') && brand === 'mif1' ? 'avif' : imageBrands[brand]
    if (image !== undefined) return { media: 'image', format: image }
    if (audioBrands.includes(brand)) return { media: 'other', format: 'm4a' }
    return { media: 'video', format: brand === 'qt  ' ? 'mov' : 'mp4' }
  }
  // Old QuickTime files begin without ftyp.
  if (['moov', 'mdat', 'wide', 'pnot'].includes(type)) return { media: 'video', format: 'mov' }
  // MPEG transport streams have a sync byte every 188 bytes.
  if (bytes.length > 376 && [0, 188, 376].every((at) => bytes[at] === 0x47))
    return { media: 'video', format: 'mpegts' }
  return undefined
}

/** In the list of the first box: the brand itself and those that it also claims to be. */
function hasBrand(bytes: Buffer, brand: string): boolean {
  return bytes.subarray(8, Math.max(12, bytes.readUInt32BE())).includes(brand, 0, 'latin1')
}

function textFormat(bytes: Buffer): Format | undefined {
  const utf16 = bytes[0] === 0xff && bytes[1] === 0xfe
  const text = bytes.toString(utf16 ? 'utf16le' : 'utf8', 0, textBytesMax)
  return /<(?:[\w-]+:)?svg[\s>]/i.test(text) ? { media: 'image', format: 'svg' } : undefined
}
