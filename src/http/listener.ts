// One node:http server for one listener: Hono for our own routes, xrpc-server for com.atproto.*, web sockets for
// its subscriptions. Every connection has a limit on time, header bytes and number; closing ends within a deadline.
// Nothing is kept here: a crash drops connections and that is all.
import { createServer } from 'node:http'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import { getRequestListener } from '@hono/node-server'
import type { Server as XrpcServer } from '@atproto/xrpc-server'
import { UsageError } from '../domain/errors.ts'
import { allowBrowsers } from './cors.ts'
import { openSocket } from './unix-socket.ts'
import { closeWithin } from './close-server.ts'
import { upgradeTo } from './upgrade.ts'

export type ListenerLimits = {
  /** From the connection to the last header byte. */
  headersMs: number
  /** From the connection to the last body byte. */
  requestMs: number
  /** The same for paths that read a body of any length piece by piece, unless it is JSON: that is read as a whole. */
  streamMs: number
  keepAliveMs: number
  /** How long an answer may wait without a byte of it being taken. */
  unreadMs: number
  /** Of silence, until the kernel asks whether anybody is there. */
  vanishedMs: number
  headerBytesMax: number
  connectionsMax: number
  /** How long open requests and streams may go on after close(). */
  closeMs: number
}

export const listenerLimits: ListenerLimits = {
  headersMs: 10_000,
  requestMs: 60_000,
  streamMs: 3_600_000,
  // Longer than the usual proxy's 60 s, so that the proxy and not we end an idle connection.
  keepAliveMs: 65_000,
  unreadMs: 60_000,
  vanishedMs: 30_000,
  headerBytesMax: 16 * 1024,
  connectionsMax: 1000,
  closeMs: 5_000,
}

/** `socket`: the path of a unix socket, for processes of this machine that its mode lets in. */
export type ListenPlace = { host: string; port: number } | { socket: string }

export type Listener = AsyncDisposable & {
  /** Of a unix socket: '' and 0. */
  host: string
  port: number
  /** `http://host:port` or `unix:/path`, for people and tests. */
  url: string
  /** Refuses new connections, lets open requests finish, ends all of it within `closeMs`. Idempotent. */
  close(): Promise<void>
}

export type HonoApp = { fetch: (request: Request) => Response | Promise<Response> }

/**
 * Answers what is asked very often without the objects that Hono needs. false: not mine. Who said true may still call
 * `otherwise` in place of an answer.
 */
export type DirectAnswer = (
  request: IncomingMessage,
  response: ServerResponse,
  otherwise: () => void,
) => boolean

/** `setting`: the variable that holds the port, named in the error. Throws UsageError when it cannot listen. */
export async function listen(
  options: ListenPlace & {
    setting: string
    hono: HonoApp
    xrpc?: XrpcServer
    direct?: DirectAnswer
    limits?: Partial<ListenerLimits>
    /** Paths whose requests may last for `streamMs`. */
    streams?: readonly string[]
    /** Called after each answer; for counting. */
    onAnswer?: (answer: { path: string; status: number; ms: number }) => void
  },
): Promise<Listener> {
  const { xrpc } = options
  const limits = { ...listenerLimits, ...options.limits }
  const streams = new Set(options.streams)
  const server = createServer(
    {
      headersTimeout: limits.headersMs,
      requestTimeout: streams.size > 0 ? limits.streamMs : limits.requestMs,
      connectionsCheckingInterval: Math.min(limits.headersMs, 5_000),
      keepAliveTimeout: limits.keepAliveMs,
      // Of a peer that vanished without a word nothing else would ever come.
      keepAlive: true,
      keepAliveInitialDelay: limits.vanishedMs,
      maxHeaderSize: limits.headerBytesMax,
      // Without this, `Upgrade: h2c` (curl, some proxies) would end at the upgrade handler as well.
      shouldUpgradeCallback: (request) => isWebSocket(request) && xrpc !== undefined,
    },
    counted(
      read(
        hurried(dispatch(options.hono, xrpc, options.direct), { streams, ms: limits.requestMs }),
        limits.unreadMs,
      ),
      options.onAnswer,
    ),
  )
  server.maxConnections = limits.connectionsMax
  const upgraded = new Set<Duplex>()
  if (xrpc !== undefined) {
    server.on('upgrade', (request, socket, head) => {
      upgraded.add(socket)
      socket.once('close', () => upgraded.delete(socket))
      upgradeTo(xrpc, { request, socket, head })
    })
  }
  const place = await bind(server, options)
  let closing: Promise<void> | undefined
  const close = (): Promise<void> => {
    closing ??= closeWithin({ server, upgraded, deadlineMs: limits.closeMs, ...(xrpc && { xrpc }) })
    return closing
  }
  return { ...place, close, [Symbol.asyncDispose]: close }
}

type Handler = (request: IncomingMessage, response: ServerResponse) => void

function counted(
  handle: Handler,
  onAnswer?: (answer: { path: string; status: number; ms: number }) => void,
): Handler {
  if (onAnswer === undefined) return handle
  return (request, response) => {
    const startedMs = performance.now()
    response.once('finish', () =>
      onAnswer({
        path: pathOf(request),
        status: response.statusCode,
        ms: performance.now() - startedMs,
      }),
    )
    handle(request, response)
  }
}

/** Node has one limit for all requests of a server: beside streams, the others get their own here. */
function hurried(handle: Handler, { streams, ms }: { streams: Set<string>; ms: number }): Handler {
  if (streams.size === 0) return handle
  return (request, response) => {
    if (!streams.has(pathOf(request)) || isJson(request)) {
      const timer = setTimeout(() => {
        if (!request.complete) request.destroy()
      }, ms)
      timer.unref()
      request.once('close', () => clearTimeout(timer))
    }
    handle(request, response)
  }
}

/** Who asks and does not read holds memory: such a connection ends. An answer that is not ready yet has its time. */
function read(handle: Handler, ms: number): Handler {
  return (request, response) => {
    response.setTimeout(ms, () => {
      if (response.writableLength > 0) response.destroy()
      else response.socket?.setTimeout(ms)
    })
    handle(request, response)
  }
}

function isJson(request: IncomingMessage): boolean {
  return /^application\/json\b/i.test(request.headers['content-type'] ?? '')
}

function pathOf(request: IncomingMessage): string {
  return (request.url ?? '/').split('?', 1)[0] ?? '/'
}

function dispatch(
  hono: HonoApp,
  xrpc: XrpcServer | undefined,
  direct: DirectAnswer | undefined,
): Handler {
  // The global Request and Response stay Node's own: other code in this process relies on them.
  // `hostname`: for HTTP/1.0 without a Host, as balancers ask whether we live.
  const toHono = getRequestListener(hono.fetch, {
    overrideGlobalObjects: false,
    hostname: 'localhost',
  })
  return (request, response) => {
    if (direct?.(request, response, () => void toHono(request, response)) === true) return
    const path = pathOf(request)
    if (xrpc === undefined || !path.startsWith('/xrpc/') || path === '/xrpc/_health') {
      void toHono(request, response)
      return
    }
    if (allowBrowsers(path, request, response)) return
    xrpc.router(request, response)
  }
}

function isWebSocket(request: IncomingMessage): boolean {
  return request.headers.upgrade?.toLowerCase() === 'websocket'
}

async function bind(
  server: Server,
  options: ListenPlace & { setting: string },
): Promise<Pick<Listener, 'host' | 'port' | 'url'>> {
  if ('socket' in options) {
    await openSocket(server, { path: options.socket, setting: options.setting })
    return { host: '', port: 0, url: `unix:${options.socket}` }
  }
  const { host } = options
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  server.once('error', reject)
  server.listen({ host, port: options.port, exclusive: true }, resolve)
  try {
    await promise
  } catch (error) {
    throw bindError(error, options)
  }
  server.removeListener('error', reject)
  const { port } = server.address() as AddressInfo
  return { host, port, url: `http://${host.includes(':') ? `[${host}]` : host}:${port}` }
}

function bindError(
  error: unknown,
  { host, port, setting }: { host: string; port: number; setting: string },
): unknown {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  if (code === 'EADDRINUSE') {
    return new UsageError(`port ${port} on ${host} is taken: set ${setting} to another port`)
  }
  if (code === 'EACCES') {
    return new UsageError(`port ${port} needs more rights: set ${setting} to a port above 1023`)
  }
  if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND') {
    return new UsageError(
      `${host} is no address of this machine: ${setting} cannot be served there`,
    )
  }
  return error
}
