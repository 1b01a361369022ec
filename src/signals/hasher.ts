// Bytes to signals: digests always, PDQ for the pictures we decode, and a reason where something is missing.
//
// Promises: never `clear` by omission. Whatever claims or appears to be a picture or a video and was not looked at in
// full comes back with a reason; `other` is only what neither the bytes nor the declared type call a picture or video.
import { pdqQualityMin } from '../domain/blob.ts'
import type { ContentReason, MediaKind, Signals } from '../domain/blob.ts'
import type { HashOutcome, Hasher } from '../domain/ports.ts'
import type { DecodeOutcome } from './decode-answer.ts'
import type { DecoderClass } from './decode-image.ts'
import { digests } from './digests.ts'
import { sniff } from './sniff.ts'

/** What `Decoder` does; tests hand in their own. */
export type Decode = (
  bytes: Uint8Array,
  signal: AbortSignal,
  decoderClass: DecoderClass,
) => Promise<DecodeOutcome>

/** The formats that we decode, and the class of children that does it. */
const decodable: Record<string, DecoderClass | undefined> = {
  jpeg: 'common',
  png: 'common',
  webp: 'common',
  gif: 'common',
  avif: 'avif',
}

export function createHasher({ decoder }: { decoder: { decode: Decode } }): Hasher {
  return {
    async hash({ bytes, contentType, signal }) {
      const sniffed = sniff(bytes)
      const media = sniffed.media === 'other' ? declaredKind(contentType) : sniffed.media
      const signals: Signals = digests(bytes)
      const { format } = sniffed
      const unscannable = (reason: ContentReason): HashOutcome => ({
        media,
        format,
        signals,
        unscannable: reason,
      })
      if (bytes.length === 0) return unscannable('empty')
      if (media === 'video') return unscannable('unsupported-video')
      if (media === 'other') return { media, format, signals }
      const decoderClass = decodable[format]
      if (decoderClass === undefined) return unscannable('unsupported-format')
      const decoded = await decodeTwice(() => decoder.decode(bytes, signal, decoderClass))
      if (decoded.kind === 'failed') return unscannable(decoded.reason)
      const { pdq, variants } = decoded
      const complete = { media, format, signals: { ...signals, pdq, variants } }
      // A torn picture with nothing left to compare: what it showed elsewhere was not looked at.
      if (decoded.malformed && pdq.quality < pdqQualityMin) {
        return { ...complete, unscannable: 'corrupt' }
      }
      // Only the first frame was looked at.
      if (decoded.animated || sniffed.animated) return { ...complete, unscannable: 'animated' }
      return complete
    },
  }
}

/** A child may have been ended from outside, by a machine short of memory: only a second crash blames the image. */
async function decodeTwice(decode: () => Promise<DecodeOutcome>): Promise<DecodeOutcome> {
  const first = await decode()
  const isCrash = first.kind === 'failed' && first.reason === 'decoder-crash'
  return isCrash ? decode() : first
}

/** A declared type can only make us stricter. */
function declaredKind(contentType = ''): MediaKind {
  const type = contentType.trim().toLowerCase()
  if (type.startsWith('image/')) return 'image'
  return type.startsWith('video/') ? 'video' : 'other'
}
