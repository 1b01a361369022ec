// Follows com.atproto.sync.subscribeRepos of one PDS or relay and hands in batches.
//
// Promises: the cursor passes an event only in the same step that makes its work durable; a batch that could not be taken is
// offered again, never skipped; every loss that can be noticed is handed in as a gap; an ending of any kind is followed by a new connect.
// Assumes: the caller holds the lead while `run` runs, and one `run` at a time. Reading is serial: while a batch is being
// taken nothing is read, the socket fills and the host waits (or drops us, and we come back with the cursor).
// A crash leaves nothing behind: everything since the stored cursor is read again.
import type { CursorMove } from '../domain/batch.ts'
import { RetryableError } from '../domain/errors.ts'
import { backoffMs, backoffMsMax, sleep } from './backoff.ts'
import { fillBatch } from './fill-batch.ts'
import { batchLimits, nameOf, type FirehoseOptions, type StoredCursor } from './firehose-options.ts'
import { newFrameBatch, type FrameBatch } from './frame-batch.ts'
import { openFrames, streamTimes, type FrameStream } from './frame-stream.ts'
import { forgetNumbers, startPosition, type Position } from './position.ts'
import { takeBatch } from './take-batch.ts'

export type Firehose = {
  /** `fenced`: another leader is at work, stop leading. `stopped`: the signal. Throws what `takeIn` throws but RetryableError. */
  run(signal: AbortSignal): Promise<'fenced' | 'stopped'>
}

type Ended =
  { kind: 'fenced' } | { kind: 'stopped' } | { kind: 'again'; reason: string; progress: boolean }

const intakeCheckMs = 1_000

export function createFirehose(options: FirehoseOptions): Firehose {
  const random = () => options.random?.() ?? Math.random()
  const limits = { ...batchLimits, ...options.limits }
  const times = { ...streamTimes, ...options.times }
  const { log, metrics } = options
  const hostName = nameOf(options.host)

  return {
    async run(signal) {
      const loaded = await firstCursor(signal)
      if (loaded === 'stopped') return 'stopped'
      const position = startPosition(loaded)
      let failures = 0
      while (!signal.aborted) {
        position.fresh = true
        const ended = await connectAndFollow(position, loaded.epoch, signal)
        if (ended.kind !== 'again') return ended.kind
        if (signal.aborted) break
        metrics?.disconnected?.(ended.reason)
        failures = ended.progress ? 0 : failures + 1
        const waitMs = backoffMs(failures, random)
        const level = failures === 0 ? 'info' : 'warn'
        log[level](`event stream ended: ${ended.reason}`, { host: hostName, ms: waitMs })
        await sleep(waitMs, signal)
      }
      return 'stopped'
    },
  }

  async function firstCursor(signal: AbortSignal): Promise<StoredCursor | 'stopped'> {
    for (let attempt = 0; ; attempt += 1) {
      try {
        return await options.loadCursor()
      } catch (error) {
        if (!(error instanceof RetryableError)) throw error
        metrics?.retrying?.(error.message)
      }
      if (!(await sleep(backoffMs(attempt, random), signal))) return 'stopped'
    }
  }

  async function connectAndFollow(
    position: Position,
    epoch: number,
    signal: AbortSignal,
  ): Promise<Ended> {
    const url = subscribeUrl(options.url, position, options.firstStart ?? 'oldest')
    let openedMs = Number.POSITIVE_INFINITY
    const onConnect = (): void => {
      openedMs = performance.now()
      metrics?.connected?.()
    }
    const stream = openFrames(url, { times, signal, onConnect })
    try {
      const ended = await follow(stream, position, epoch, signal)
      if (ended.kind !== 'again') return ended
      // A quiet host that stayed with us for a while did not fail.
      const lasted = performance.now() - openedMs > backoffMsMax
      return { ...ended, progress: ended.progress || lasted }
    } finally {
      await stream.close()
    }
  }

  /** One connection, batch after batch. */
  async function follow(
    stream: FrameStream,
    position: Position,
    epoch: number,
    signal: AbortSignal,
  ): Promise<Ended> {
    let progress = false
    const fill = fillBatch({ ...options, stream, position, limits })
    for (;;) {
      if (!(await untilAllowed(signal))) return { kind: 'stopped' }
      const frames = newFrameBatch()
      const filled = await fill(frames)
      if (signal.aborted) return { kind: 'stopped' }
      const outcome = await take(frames, position, epoch, signal)
      if (outcome === 'fenced' || outcome === 'stopped') return { kind: outcome }
      progress ||= frames.moved
      if (filled.kind === 'end') return { kind: 'again', progress, reason: filled.reason }
      if (filled.kind === 'future-cursor') {
        log.warn('the host knows no such cursor', { host: hostName })
        forgetNumbers(position)
        return { kind: 'again', progress: true, reason: 'FutureCursor' }
      }
    }
  }

  async function take(
    frames: FrameBatch,
    position: Position,
    epoch: number,
    signal: AbortSignal,
  ): Promise<'taken' | 'fenced' | 'stopped'> {
    const { batch, syncs, counts } = frames
    if (!frames.moved && batch.undecodable.length === 0) return 'taken'
    const cursor = cursorMove(position, epoch)
    if (cursor !== undefined) batch.cursor = cursor
    for (const did of batch.identities) options.onIdentity?.(did)
    const outcome = await takeBatch({ ...options, batch, syncs, random, signal })
    if (outcome !== 'taken') return outcome
    position.stored = position.seen ?? position.stored
    for (const { reason } of batch.gaps)
      log.warn('events were not seen', { host: hostName, reason })
    metrics?.taken?.({
      ...counts,
      sightings: batch.sightings.length,
      undecodable: batch.undecodable.length,
      gaps: batch.gaps.length,
      syncs: syncs.length,
      position: position.stored,
      eventTimeMs: position.timeMs,
    })
    return 'taken'
  }

  /** From where the database stands to the last event of the batch; nowhere, when it holds none: that still fences. */
  function cursorMove(position: Position, epoch: number): CursorMove | undefined {
    const to = position.seen ?? position.stored
    if (to === null) return undefined
    const { stored: from, timeMs: eventTimeMs } = position
    return { source: 'firehose', host: options.host, from, to, epoch, eventTimeMs }
  }

  async function untilAllowed(signal: AbortSignal): Promise<boolean> {
    const allowed = (): boolean => options.intakeAllowed?.() ?? true
    if (allowed()) return !signal.aborted
    metrics?.paused?.(true)
    log.warn('intake is stopped', { host: hostName })
    while (!allowed()) {
      if (!(await sleep(intakeCheckMs, signal))) return false
    }
    metrics?.paused?.(false)
    log.info('intake goes on', { host: hostName })
    return true
  }
}

function subscribeUrl(origin: string, position: Position, firstStart: 'oldest' | 'live'): string {
  const url = new URL('/xrpc/com.atproto.sync.subscribeRepos', origin)
  url.protocol = url.protocol.replace('http', 'ws')
  // After FutureCursor no number of ours means anything there: begin at the live end.
  const cursor = position.seen ?? (position.stored === null && firstStart === 'oldest' ? 0 : null)
  if (cursor !== null) url.searchParams.set('cursor', String(cursor))
  return url.href
}
