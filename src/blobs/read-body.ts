// Reads a body with every limit held while it streams: decoded bytes, throughput, the caller's patience.
// fetch decodes gzip, deflate, br and zstd itself; what is counted and hashed here is what comes out of the decoder,
// so a compression bomb ends at the limit and a CID is checked over the bytes that it names.
import { createHash } from 'node:crypto'
import type { Hash } from 'node:crypto'
import type { Hex } from '../domain/blob.ts'
import type { FetchLimits } from './limits.ts'

/** Bytes being held by all reads together. */
export type InFlight = { bytes: number }

export type BodyRead =
  { kind: 'read'; bytes: Uint8Array; sha256: Hex } | { kind: 'too-large' } | { kind: 'no-room' }

/**
 * Rejects with whatever the stream does; when `stop` fires, in time or by this function for a body that drips,
 * it rejects with the stop signal's reason.
 */
export async function readBody({
  body,
  bytesMax,
  limits,
  inFlight,
  stop,
}: {
  body: ReadableStream<Uint8Array> | null
  bytesMax: number
  limits: FetchLimits
  inFlight: InFlight
  stop: AbortController
}): Promise<BodyRead> {
  const reader = (body ?? new Blob([]).stream()).getReader()
  const cancel = () => void reader.cancel().catch(ignoreCancelled)
  stop.signal.addEventListener('abort', cancel)
  if (stop.signal.aborted) cancel()
  const held: Held = { chunks: [], bytes: 0, windowBytes: 0, hash: createHash('sha256') }
  const watch = setInterval(() => {
    if (held.windowBytes < limits.throughputBytesMin) stop.abort(new TooSlowError())
    held.windowBytes = 0
  }, limits.throughputWindowMs)
  try {
    const end = await drain({ reader, held, bytesMax, inFlight, limits })
    stop.signal.throwIfAborted()
    if (end !== 'done') return { kind: end }
    return joined(held)
  } finally {
    clearInterval(watch)
    stop.signal.removeEventListener('abort', cancel)
    inFlight.bytes -= held.bytes
    // After a full read this does nothing; after anything else it closes the socket.
    cancel()
  }
}

/** The host sends, but too little to ever end. */
export class TooSlowError extends Error {
  override name = 'TooSlowError'
}

type Held = { chunks: Uint8Array[]; bytes: number; windowBytes: number; hash: Hash }

async function drain({
  reader,
  held,
  bytesMax,
  inFlight,
  limits,
}: {
  reader: ReadableStreamDefaultReader<Uint8Array>
  held: Held
  bytesMax: number
  inFlight: InFlight
  limits: FetchLimits
}): Promise<'done' | 'too-large' | 'no-room'> {
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return 'done'
    if (held.bytes + value.byteLength > bytesMax) return 'too-large'
    if (inFlight.bytes + value.byteLength > limits.bytesInFlightMax) return 'no-room'
    held.chunks.push(value)
    held.hash.update(value)
    held.bytes += value.byteLength
    held.windowBytes += value.byteLength
    inFlight.bytes += value.byteLength
  }
}

/** A fresh array rather than a Buffer from the shared pool: the hasher may transfer it to another thread. */
function joined(held: Held): BodyRead {
  const bytes = new Uint8Array(held.bytes)
  let offset = 0
  for (const chunk of held.chunks) {
    bytes.set(chunk, offset)
    offset += chunk.byteLength
  }
  return { kind: 'read', bytes, sha256: held.hash.digest('hex') }
}

function ignoreCancelled(): void {
  // The stream had already failed; its error has reached the reader.
}
