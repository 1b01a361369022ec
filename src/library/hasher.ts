// Bytes to signals, for programs that use the package as a library.
//
// Promises: bytes may be hostile. Pictures are decoded in children without network, environment and more memory than
// `decoderDefaults` says; what they do there ends in `unscannable`, never in a crash here. Nothing is kept of the bytes.
// Assumes Linux with util-linux for all of the walls (docs/operating/installing.md); `warn` hears which are missing.
// A crash leaves nothing: children see their pipe close.
import type { BlobCid, ContentReason, MediaKind, Signals } from '../domain/blob.ts'
import { blobCidOf } from '../domain/cid.ts'
import { Decoder } from '../signals/decoder.ts'
import { createHasher } from '../signals/hasher.ts'

export type Hashed = {
  /** By the first bytes; a declared type can only make it stricter. */
  media: MediaKind
  /** `jpeg`, `png`, `mp4`, …, for people. */
  format: string
  /** The CID of the bytes on the AT Protocol: CIDv1, raw, sha2-256. */
  cid: BlobCid
  /**
   * Lowercase hex. `sha256`, `md5` and `sha1` always; `pdq` (64 digits, quality 0 to 100) and its `variants` for pictures
   * that could be decoded.
   */
  signals: Signals
  /** Why the bytes were not looked at in full; such bytes are never known to be clear. */
  unscannable?: ContentReason
}

export type HasherOptions = {
  /** Pictures decoded at the same time, each in a child process of its own. 2 unless given. */
  slots?: number
  /** Hears once of each wall of the sandbox that this machine does not have. Default: `process.emitWarning`. */
  warn?: (message: string) => void
}

export type HashOptions = { contentType?: string; signal?: AbortSignal }

export type MediaHasher = {
  /**
   * Rejects with the signal's reason when aborted, and with RetryableError when no child can be started. Concurrent calls
   * wait for a slot in the order in which they came; whoever bounds the calls bounds the memory.
   */
  hash(bytes: Uint8Array, options?: HashOptions): Promise<Hashed>
  /** Ends the children. The same as `await using`. */
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/** Children start with the first picture and stay until `close`. Throws RetryableError where none can be started. */
export async function openHasher(options: HasherOptions = {}): Promise<MediaHasher> {
  const { slots = 2, warn = warnOfProcess } = options
  if (!Number.isInteger(slots) || slots < 1) throw new TypeError('slots is a whole number from 1')
  const decoder = await Decoder.start({ slots, warn })
  const hasher = createHasher({ decoder })
  const close = () => decoder[Symbol.asyncDispose]()
  return {
    async hash(bytes, { contentType, signal = new AbortController().signal } = {}) {
      signal.throwIfAborted()
      const input = { bytes, signal, ...(contentType !== undefined && { contentType }) }
      const outcome = await hasher.hash(input)
      return { ...outcome, cid: blobCidOf(outcome.signals.sha256) }
    },
    close,
    [Symbol.asyncDispose]: close,
  }
}

/** One file: opens a hasher and closes it. For more than one use `openHasher`, which starts a child once. */
export async function hash(
  bytes: Uint8Array,
  options: HashOptions & HasherOptions = {},
): Promise<Hashed> {
  await using hasher = await openHasher({ slots: 1, ...options })
  return await hasher.hash(bytes, options)
}

function warnOfProcess(message: string): void {
  process.emitWarning(message, 'BlobwatchSandboxWarning')
}
