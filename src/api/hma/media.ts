// Files on their way to hashes, by address or as an upload. The name of an upload's field is its content type, as HMA has it.
//
// Promises: addresses go through the guarded fetcher, bytes through the sandboxed decoder; what cannot be decoded is a 400
// with a sentence, what shows too little has the empty hash; so many wait for the decoder at most, the others come again.
import type { Context } from 'hono'
import { pdqQualityMin } from '../../domain/blob.ts'
import type { AnySignalType, ContentReason } from '../../domain/blob.ts'
import { isOfOther } from '../../domain/other-type.ts'
import type { FetchOutcome, HashOutcome } from '../../domain/ports.ts'
import type { Parts } from '../../service.ts'
import { createTurns } from '../turns.ts'
import { HmaRefusal, quoted, refuse, refuseForNow } from './answers.ts'
import { bodyLimits, parseForm } from './body.ts'
import type { BodyReader } from './body.ts'
import { contentTypes, hmaTypesWith, typesFor } from './signal-names.ts'
import type { ContentType } from './signal-names.ts'
import type { TypeSwitch } from './type-switch.ts'

export const mediaLimits = { waitingMax: 64, fetchingMax: 32, urlCharsMax: 4096 } as const

/** HMA's signal name -> hex; '' where the picture shows too little, and no entry where a plug-in has no value for it. */
export type Hashes = Record<string, string>

export type Media = {
  fromUrl(context: Context, query: Record<string, string>): Promise<Hashes>
  /** `texts`: what the form carries besides. */
  fromForm(
    context: Context,
    query: Record<string, string>,
  ): Promise<{ hashes: Hashes; texts: Map<string, string> }>
}

export function createMedia({
  parts,
  bodies,
  types: switches,
}: {
  parts: Pick<Parts, 'hasher' | 'fetcher' | 'config' | 'others'>
  bodies: BodyReader
  types: TypeSwitch
}): Media {
  const { hasher, fetcher, config } = parts
  const known = hmaTypesWith(parts.others)
  const { fetchingMax, waitingMax } = mediaLimits
  const hashing = createTurns({ slots: config.decoderSlots * 2, waitingMax })
  const fetching = createTurns({ slots: fetchingMax, waitingMax })

  const hash = async (
    file: { bytes: Uint8Array; contentType: string; content: ContentType },
    types: string | undefined,
    signal: AbortSignal,
  ): Promise<Hashes> => {
    const { content, ...input } = file
    const wanted = typesFor(known, content, types, await switches.off())
    const outcome = await hashing(() => hasher.hash({ ...input, signal }))
    return Object.fromEntries(
      wanted.flatMap(({ name, ours }) => {
        const value = valueOf(outcome, ours)
        return value === undefined ? [] : [[name, value]]
      }),
    )
  }

  return {
    async fromUrl(context, query) {
      const url = query['url'] ?? ''
      const { content_type: word = '' } = query
      const named = word === '' ? undefined : contentNamed(word)
      if (url.length > mediaLimits.urlCharsMax) refuse(400, 'Invalid or unsafe URL provided')
      const { signal } = context.req.raw
      // Checked before anything is fetched.
      if (query['types'] !== undefined) typesFor(known, named, query['types'], await switches.off())
      return fetching(async () => {
        const { bytes, contentType = '' } = bytesOf(await fetcher.fetchUrl({ url, signal }))
        const content = named ?? declared(contentType)
        return hash({ bytes, contentType, content }, query['types'], signal)
      })
    },
    async fromForm(context, query) {
      const bytesMax = config.blobBytesMax + bodyLimits.formSlackBytes
      return bodies.read(context, bytesMax, async (body) => {
        const { files, texts } = await parseForm(context, body)
        const [first, second] = files
        if (first === undefined) return refuse(400, 'Missing multipart/form-data file upload')
        if (second !== undefined) refuse(400, 'Only one file allowed per request')
        if (first.file.size > config.blobBytesMax)
          throw new HmaRefusal(413, { message: 'Content too large' })
        const content = contentNamed(first.field)
        const bytes = new Uint8Array(await first.file.arrayBuffer())
        const contentType = content === 'photo' ? 'image/*' : 'video/*'
        const hashes = await hash(
          { bytes, contentType, content },
          query['types'],
          context.req.raw.signal,
        )
        return { hashes, texts }
      })
    },
  }
}

function contentNamed(name: string): ContentType {
  return (
    contentTypes.find((type) => type === name) ??
    refuse(400, `no such content_type: ${quoted(name)}`)
  )
}

function declared(contentType: string): ContentType {
  const type = contentType.trim().toLowerCase()
  if (type.startsWith('image/')) return 'photo'
  if (type.startsWith('video/')) return 'video'
  return refuse(
    400,
    `unsupported url ContentType: ${quoted(type)}, if you know the expected type, provide it with the content_type query param`,
  )
}

function bytesOf(outcome: FetchOutcome): { bytes: Uint8Array; contentType?: string } {
  if (outcome.kind === 'bytes') return outcome
  if (outcome.reason === 'forbidden-address') refuse(400, 'Invalid or unsafe URL provided')
  if (outcome.reason === 'too-large') refuse(413, 'Content too large')
  return refuse(400, `Failed to fetch URL: ${outcome.reason}`)
}

/** Digests are always there; a hash of what is to be seen needs a picture that can be decoded. */
function valueOf(
  { signals, unscannable, failedPlugins = [] }: HashOutcome,
  type: AnySignalType,
): string | undefined {
  if (unscannable === 'empty') refuse(400, unreadable.empty)
  if (isOfOther(type)) {
    // Without an answer nothing would match, and read as nothing found.
    if (failedPlugins.includes(type)) refuseForNow(`plug-in ${type} gives no answer now`)
    const said = signals.others?.find((one) => one.type === type)
    if (said?.refused === true) refuse(400, `plug-in ${type} does not take this file`)
    return said?.value
  }
  if (type === 'clip') return ''
  if (type !== 'pdq') return signals[type] ?? ''
  if (signals.pdq === undefined) return refuse(400, unreadable[unscannable ?? 'unsupported-format'])
  return signals.pdq.quality < pdqQualityMin ? '' : signals.pdq.hash
}

const damaged = 'The file cannot be decoded as a picture'
const unreadable: Record<ContentReason, string> = {
  'unsupported-cid': damaged,
  'unsupported-format': 'The file is no picture of a format that can be decoded',
  'unsupported-video': 'The file is a video, not a picture',
  animated: damaged,
  empty: 'The file is empty',
  corrupt: damaged,
  'too-many-pixels': 'The picture has too many pixels',
  'decoder-memory': 'The picture needs too much memory to be decoded',
  'decoder-timeout': 'The picture takes too long to be decoded',
  'decoder-crash': damaged,
  'worker-crash': damaged,
}
