// Bytes of a file or of stdin, and their signals by the same sandboxed decoder that the service uses.
import { createReadStream } from 'node:fs'
import { extname } from 'node:path'
import { fetchLimits } from '../blobs/limits.ts'
import type { HashOutcome, Hasher } from '../domain/ports.ts'
import type { PluginReason } from '../domain/blob.ts'
import { UsageError } from '../domain/errors.ts'
import { createPluginHasher } from '../plugins/plugin-hasher.ts'
import { openPlugins } from '../service-plugins.ts'
import { Decoder } from '../signals/decoder.ts'
import { createHasher } from '../signals/hasher.ts'
import type { Io } from './io.ts'
import { configuredManifests, openParts } from './plugins.ts'

export type HashedFile =
  | ({ file: string; bytes: number } & HashOutcome)
  | { file: string; bytes: number; unscannable: 'too-large' }

/** Runs the work with a hasher whose decoder has one child, and asks the configured plug-ins; ends them all. */
export async function withHasher<T>(io: Io, work: (hasher: Hasher) => Promise<T>): Promise<T> {
  await using open = await openPlugins(configuredManifests(io), () => openParts(io))
  await using decoder = await Decoder.start({
    slots: 1,
    warn: (message) => io.err(`decoder: ${message}`),
  })
  const { plugins } = open
  const onFailed = ({ name, reason }: { name: string; reason: string }) =>
    io.err(`plug-in ${name} gave no answer: ${reason}`)
  return await work(createPluginHasher({ hasher: createHasher({ decoder }), plugins, onFailed }))
}

/** `-` is stdin. `see` gets the bytes and what they are. Throws UsageError when the file cannot be read. */
export async function hashFile(
  io: Io,
  hasher: Hasher,
  file: string,
  see: (bytes: Uint8Array, outcome: HashOutcome) => Promise<void> = async () => {},
): Promise<HashedFile> {
  const bytes = await readBlob(file)
  if (bytes === undefined)
    return { file, bytes: fetchLimits.blobBytesMax, unscannable: 'too-large' }
  const contentType = declaredTypes[extname(file).toLowerCase()]
  const outcome = await hasher.hash({
    bytes,
    ...(contentType !== undefined && { contentType }),
    signal: io.stop,
  })
  await see(bytes, outcome)
  return { file, bytes: bytes.length, ...outcome }
}

/** Why not all of a file was looked at. */
export function whyLess(hashed: HashedFile): string | undefined {
  if (hashed.unscannable !== undefined || !('signals' in hashed)) return hashed.unscannable
  if (hashed.failedPlugins !== undefined) return 'plugin-failed' satisfies PluginReason
  const isRefused = hashed.signals.others?.some(({ refused }) => refused === true)
  return isRefused === true ? ('plugin-refused' satisfies PluginReason) : undefined
}

/** undefined: more bytes than a blob may have. */
async function readBlob(file: string): Promise<Buffer | undefined> {
  const chunks: Buffer[] = []
  let size = 0
  try {
    for await (const chunk of createReadStream(file === '-' ? '/dev/stdin' : file)) {
      chunks.push(chunk as Buffer)
      size += (chunk as Buffer).length
      if (size > fetchLimits.blobBytesMax) return undefined
    }
  } catch (cause) {
    throw new UsageError(`${file} cannot be read`, { cause })
  }
  return Buffer.concat(chunks)
}

/** A name can only make us stricter, as an uploader's declared type does. */
const declaredTypes: Record<string, string> = {
  '.jpg': 'image/jpeg',
  '.jpeg': 'image/jpeg',
  '.png': 'image/png',
  '.gif': 'image/gif',
  '.webp': 'image/webp',
  '.avif': 'image/avif',
  '.heic': 'image/heic',
  '.mp4': 'video/mp4',
  '.mov': 'video/quicktime',
  '.webm': 'video/webm',
}
