// One connection to a host's event stream: raw messages until it ends, for whatever reason. Reconnecting is the caller's.
//
// @atproto/ws-client can reconnect by itself, but takes a close with 1000 for the end, resets its backoff on every open
// (a host that accepts and drops us would be asked every second), and has no limit on a connect that hangs.
import { websocket } from '@atproto/ws-client'
import { errorMessage } from '../domain/errors.ts'
import { plainText } from './plain-text.ts'

export type StreamTimes = {
  /** A connection that takes longer to open is given up. */
  connectMs: number
  /** A ping each interval; a peer without a sign of life between two pings is gone. */
  heartbeatMs: number
  /** A peer that answers pings but sends no frame for this long is asked again. */
  idleMs: number
}

export const streamTimes: StreamTimes = { connectMs: 20_000, heartbeatMs: 10_000, idleMs: 300_000 }

export type Message =
  | { kind: 'frame'; bytes: Uint8Array }
  | { kind: 'text'; text: string }
  | { kind: 'end'; reason: string }

export type FrameStream = {
  /** Never rejects; one call at a time. While nobody calls, the socket is paused past 1 MiB: the back-pressure. */
  next(): Promise<Message>
  /** Returns when the socket is down; takes a second at most. */
  close(): Promise<void>
}

export function openFrames(
  url: string,
  input: { times: StreamTimes; signal: AbortSignal; onConnect: () => void },
): FrameStream {
  const { times, signal, onConnect } = input
  const stop = new AbortController()
  const giveUp = (): void => stop.abort(new Error(`no connection within ${times.connectMs} ms`))
  let late: NodeJS.Timeout | undefined
  const messages = websocket(url, {
    signal: AbortSignal.any([signal, stop.signal]),
    shouldReconnect: false,
    heartbeat: { intervalMs: times.heartbeatMs },
    idleTimeoutMs: times.idleMs,
    onConnect: () => {
      clearTimeout(late)
      onConnect()
    },
    onClose: () => clearTimeout(late),
  })

  return {
    async next() {
      // The socket is opened by the first call, so that is when the time begins.
      late ??= setTimeout(giveUp, times.connectMs)
      try {
        const { done, value } = await messages.next()
        if (done === true) return { kind: 'end', reason: 'the host closed the stream' }
        return typeof value === 'string'
          ? { kind: 'text', text: value }
          : { kind: 'frame', bytes: value }
      } catch (error) {
        return { kind: 'end', reason: reasonOf(error) }
      }
    },
    async close() {
      clearTimeout(late)
      stop.abort(new Error('closed by us'))
      // Waits for a message still asked for, which the abort ends; the generator settles when its socket is down.
      await messages.return().catch(ignore)
    },
  }
}

/** How the stream ended was already said by `next`, or nobody asked. */
function ignore(): void {}

/** With the peer's own words in it, so made plain. */
function reasonOf(error: unknown): string {
  const cause = error instanceof Error && error.cause !== undefined ? error.cause : undefined
  const told = cause === undefined ? '' : `: ${errorMessage(cause)}`
  return plainText(`${errorMessage(error)}${told}`, reasonCharsMax)
}

const reasonCharsMax = 300
