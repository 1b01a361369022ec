// Changes of blobs as pages and as streams, for an AppView that keeps its own copy.
//
// Promises: a stream gives every change after the number it begins at, in order, also what is written while it runs; it
// holds one page in memory, and is ended when it is not read for `slowMs`, when it is `streamMs` old, when its key opens
// this no more, and at our stop. Streams are bounded, and so are those of one caller. A crash ends streams; whoever
// comes back with the last number misses nothing.
import { msSince } from '../domain/ms-since.ts'
import type { Clock } from '../domain/ports.ts'
import type { BlobChange, ChangePage } from '../steps/blob-changes.ts'

export const changeFeedLimits = {
  pageMax: 1_000,
  streamsMax: 100,
  streamsPerCaller: 10,
  lookMs: 250,
  heartbeatMs: 15_000,
  slowMs: 60_000,
  streamMs: 600_000,
} as const

export type ChangeFeed = AsyncDisposable & {
  page(options: { after: number | undefined; limit: number }): Promise<ChangePage>
  /** `onDropped`: it was not read; what is left of its connection may go. */
  stream(options: {
    after: number | undefined
    caller: number
    /** Asked before each text: its key may have been revoked. */
    mayGoOn: () => Promise<boolean>
    onDropped: () => void
  }): Promise<ReadableStream<Uint8Array> | 'outdated' | 'too-many'>
  streams(): number
}

export type ChangeSource = {
  /** The newest number, after what waited got its own. */
  number: () => Promise<number>
  read: (options: { after: number; limit: number }) => Promise<ChangePage>
}

type Times = Record<'lookMs' | 'heartbeatMs' | 'slowMs' | 'streamMs', number>
type Reader = { caller: number; isEnded: boolean; wake: () => void; end: () => void }

export function createChangeFeed(options: {
  clock: Clock
  source: ChangeSource
  onError: (error: unknown) => void
  times?: Partial<Times>
}): ChangeFeed {
  const { clock, source } = options
  const times = { ...changeFeedLimits, ...options.times }
  const readers = new Set<Reader>()
  let newest = 0
  let told = 0
  let looking: NodeJS.Timeout | undefined

  const look = async () => {
    try {
      newest = await source.number()
      if (newest !== told) for (const reader of readers) reader.wake()
      told = newest
    } catch (error) {
      options.onError(error)
    }
    looking = readers.size > 0 ? setTimeout(() => void look(), times.lookMs) : undefined
  }
  const page: ChangeFeed['page'] = async ({ after, limit }) => {
    newest = await source.number()
    return source.read({ after: after ?? newest, limit })
  }
  const isFull = (caller: number) =>
    readers.size >= changeFeedLimits.streamsMax ||
    [...readers].filter((one) => one.caller === caller).length >= changeFeedLimits.streamsPerCaller

  return {
    page,
    streams: () => readers.size,
    async stream({ after, caller, mayGoOn, onDropped }) {
      if (isFull(caller)) return 'too-many'
      const first = await page({ after, limit: changeFeedLimits.pageMax })
      if (first.kind === 'outdated') return 'outdated'
      if (isFull(caller)) return 'too-many'
      const from = after ?? newest
      const beganMs = clock()
      const reader = newReader(caller)
      const body = pullStream({
        times,
        reader,
        next: nextOf({ source, reader, times, from, mayGoOn, clock, beganMs }),
        onDropped,
        onError: options.onError,
        onEnd: () => readers.delete(reader),
      })
      readers.add(reader)
      looking ??= setTimeout(() => void look(), times.lookMs)
      return body
    },
    async [Symbol.asyncDispose]() {
      clearTimeout(looking)
      for (const reader of [...readers]) reader.end()
    },
  }
}

function newReader(caller: number): Reader {
  return { caller, isEnded: false, wake: () => undefined, end: () => undefined }
}

/** Resolves with the next text of a stream; undefined: it is over. */
function nextOf(options: {
  source: ChangeSource
  reader: Reader
  times: Times
  from: number
  mayGoOn: () => Promise<boolean>
  clock: Clock
  beganMs: number
}): () => Promise<string | undefined> {
  const { source, reader, times, clock } = options
  let after = options.from
  let isNew = true
  return async () => {
    if (isNew) {
      isNew = false
      // So that a client that begins at now knows where it began.
      return `: changes after ${after}\nid: ${after}\nretry: 2000\n\n`
    }
    const sinceMs = clock()
    while (!reader.isEnded && msSince(options.beganMs, clock()) < times.streamMs) {
      const woken = Promise.withResolvers<void>()
      reader.wake = woken.resolve
      const read = await source.read({ after, limit: changeFeedLimits.pageMax })
      if (read.kind === 'outdated' || !(await options.mayGoOn())) return undefined
      const isPast = read.through > after
      after = read.through
      if (read.changes.length > 0) return read.changes.map(eventOf).join('')
      if (isPast) continue
      if (msSince(sinceMs, clock()) >= times.heartbeatMs) return ': still here\n\n'
      const beat = setTimeout(woken.resolve, times.heartbeatMs)
      await woken.promise
      clearTimeout(beat)
    }
    return undefined
  }
}

export function changeBody({ seq, did, cid, state, reason, since }: BlobChange) {
  return {
    seq,
    ...(did !== undefined && { did }),
    cid,
    state,
    ...(reason !== null && { reason }),
    ...(since !== null && { since: since.toISOString() }),
  }
}

function eventOf(change: BlobChange): string {
  return `id: ${change.seq}\nevent: change\ndata: ${JSON.stringify(changeBody(change))}\n\n`
}

/** Nothing is read before somebody wants it. */
function pullStream(options: {
  times: Times
  reader: Reader
  next: () => Promise<string | undefined>
  onDropped: () => void
  onError: (error: unknown) => void
  onEnd: () => void
}): ReadableStream<Uint8Array> {
  const { reader } = options
  const encoder = new TextEncoder()
  let slow: NodeJS.Timeout | undefined
  const end = () => {
    if (reader.isEnded) return false
    reader.isEnded = true
    clearTimeout(slow)
    options.onEnd()
    reader.wake()
    return true
  }
  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        reader.end = () => {
          if (end()) controller.close()
        }
      },
      async pull(controller) {
        clearTimeout(slow)
        try {
          const text = await options.next()
          if (reader.isEnded) return
          if (text === undefined) return reader.end()
          controller.enqueue(encoder.encode(text))
        } catch (error) {
          options.onError(error)
          return reader.end()
        }
        slow = setTimeout(() => {
          if (!end()) return
          controller.close()
          options.onDropped()
        }, options.times.slowMs)
      },
      cancel() {
        end()
      },
    },
    { highWaterMark: 0 },
  )
}
