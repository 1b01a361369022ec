// Reads messages into a batch until it is full, or its first frame has waited long enough, or the connection ends.
import { nameOf } from './firehose-options.ts'
import type { BatchLimits, FirehoseOptions } from './firehose-options.ts'
import { addFrame, addUnread, frameBytesMax, type FrameBatch } from './frame-batch.ts'
import type { FrameStream, Message } from './frame-stream.ts'
import { decodeFrame } from './frame.ts'
import { plainText } from './plain-text.ts'
import { openGap, type Position } from './position.ts'

export type Filled = { kind: 'ready' } | { kind: 'end'; reason: string } | { kind: 'future-cursor' }

/** One per connection: a message asked for when a batch was due stays asked for, and opens the next batch. */
export function fillBatch(
  input: Pick<FirehoseOptions, 'clock' | 'log' | 'host' | 'ignoredDids'> & {
    stream: FrameStream
    position: Position
    limits: BatchLimits
  },
): (into: FrameBatch) => Promise<Filled> {
  const { stream, limits } = input
  let asked: Promise<Message> | undefined

  return async (into) => {
    const due = lazyTimer(limits.waitMs)
    try {
      for (;;) {
        asked ??= stream.next()
        const message =
          into.counts.frames === 0 ? await asked : await Promise.race([asked, due.promise()])
        if (message === 'due') return { kind: 'ready' }
        asked = undefined
        const filled = addMessage(message, into, input)
        if (filled !== undefined) return filled
        if (isFull(into, limits)) return { kind: 'ready' }
      }
    } finally {
      due.clear()
    }
  }
}

function addMessage(
  message: Message,
  into: FrameBatch,
  input: Pick<FirehoseOptions, 'clock' | 'log' | 'host' | 'ignoredDids'> & { position: Position },
): Filled | undefined {
  if (message.kind === 'end') return message
  if (message.kind === 'text') {
    addUnread(into, Buffer.from(message.text), 'a text frame')
    return undefined
  }
  const { bytes } = message
  if (bytes.length > frameBytesMax) {
    addUnread(into, bytes, 'larger than a frame may be')
    return undefined
  }
  const frame = decodeFrame(bytes)
  if (frame.kind === 'error') {
    if (frame.error === 'FutureCursor' && input.position.seen !== null) {
      return { kind: 'future-cursor' }
    }
    return { kind: 'end', reason: plainText(`${frame.error}: ${frame.message}`, 300) }
  }
  if (frame.kind === 'info') {
    const said = { name: plainText(frame.name, 100), text: plainText(frame.message, 300) }
    input.log.info(`the host says ${said.name}: ${said.text}`, { host: nameOf(input.host) })
    if (frame.name === 'OutdatedCursor') openGap(input.position, 'outdated-cursor')
    return undefined
  }
  const { clock, position, ignoredDids } = input
  addFrame(into, position, { frame, bytes, nowMs: clock(), ignoredDids })
  return undefined
}

function isFull({ batch, counts }: FrameBatch, limits: BatchLimits): boolean {
  return (
    counts.frames >= limits.framesMax ||
    counts.bytes >= limits.bytesMax ||
    batch.sightings.length >= limits.sightingsMax
  )
}

/** Starts when first asked for: a batch has no deadline before its first frame. */
function lazyTimer(ms: number): { promise(): Promise<'due'>; clear(): void } {
  let timer: NodeJS.Timeout | undefined
  let promise: Promise<'due'> | undefined
  return {
    promise() {
      promise ??= new Promise((resolve) => {
        timer = setTimeout(() => resolve('due'), ms)
      })
      return promise
    },
    clear: () => clearTimeout(timer),
  }
}
