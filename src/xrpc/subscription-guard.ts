// The limits that xrpc-server's streams do not have: how many subscribers, how long one may refuse to read,
// whether one is still there, and how much one may send us (nothing worth keeping).
import type { IncomingMessage } from 'node:http'
import { ErrorFrame } from '@atproto/xrpc-server'

export type SubscriptionLimits = {
  subscribersMax: number
  /** How long one frame may wait for the socket to drain. */
  drainMs: number
  /** How long a slow subscriber then has to read the reason. */
  farewellMs: number
  /** A subscriber that did not answer the last ping by the next one is gone. Longer than drainMs + farewellMs. */
  heartbeatMs: number
}

export const subscriptionLimits: SubscriptionLimits = {
  subscribersMax: 100,
  drainMs: 30_000,
  farewellMs: 5_000,
  heartbeatMs: 45_000,
}

/** Subscribers have nothing to say to a label stream; control frames are at most 125 bytes (RFC 6455, 5.5). */
export const subscriberMessageBytesMax = 1024

export type SubscriptionGuard = {
  subscribers(): number
  close(): void
  /** Starts the clock for one frame; disposing of it stops the clock. */
  sending(request: IncomingMessage): Disposable & { tooSlow(): boolean }
}

/** What we use of `ws`. */
type Socket = {
  send(bytes: Uint8Array): void
  ping(): void
  close(code: number, reason: string): void
  terminate(): void
  on(event: 'pong', listener: () => void): void
}
export type SubscriptionServer = {
  clients: Set<Socket>
  options: { maxPayload?: number; verifyClient?: VerifyClient }
  on(
    event: 'connection',
    listener: (socket: Socket, request: IncomingMessage) => void,
  ): SubscriptionServer
}
type VerifyClient = (
  info: unknown,
  answer: (ok: boolean, code?: number, message?: string, headers?: Record<string, string>) => void,
) => void

export function guardSubscription(options: {
  wss: SubscriptionServer
  limits: Partial<SubscriptionLimits>
}): SubscriptionGuard {
  const { wss } = options
  const limits = { ...subscriptionLimits, ...options.limits }
  const sockets = new WeakMap<IncomingMessage, Socket>()
  const silent = new WeakSet<Socket>()
  limitUpgrades(wss, limits)
  wss.on('connection', (socket, request) => {
    sockets.set(request, socket)
    socket.on('pong', () => silent.delete(socket))
  })
  const heartbeat = setInterval(() => {
    for (const socket of wss.clients) {
      if (silent.has(socket)) socket.terminate()
      silent.add(socket)
      socket.ping()
    }
  }, limits.heartbeatMs).unref()

  return {
    subscribers: () => wss.clients.size,
    close: () => clearInterval(heartbeat),
    sending(request) {
      let slow = false
      const patience = setTimeout(() => {
        slow = true
        dismiss(sockets.get(request), limits.farewellMs)
      }, limits.drainMs).unref()
      return { tooSlow: () => slow, [Symbol.dispose]: () => clearTimeout(patience) }
    },
  }
}

/** xrpc-server makes the WebSocketServer itself; `ws` reads these options at each upgrade, so they are set here. */
function limitUpgrades(wss: SubscriptionServer, limits: SubscriptionLimits): void {
  wss.options.maxPayload = subscriberMessageBytesMax
  wss.options.verifyClient = (_info, answer) => {
    // 503 before the upgrade and not an error frame after it: consumers come back after a 503, not after a frame.
    if (wss.clients.size < limits.subscribersMax) answer(true)
    else answer(false, 503, 'Too many subscribers', { 'Retry-After': '60' })
  }
}

function dismiss(socket: Socket | undefined, farewellMs: number): void {
  if (socket === undefined) return
  const message = 'frames were not read in time; come back with the last cursor'
  socket.send(new ErrorFrame({ error: 'ConsumerTooSlow', message }).toBytes())
  socket.close(1008, 'ConsumerTooSlow')
  setTimeout(() => socket.terminate(), farewellMs).unref()
}
