// Web socket upgrades for xrpc-server's subscriptions; it wires them itself only when it owns the server.
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { extractUrlNsid } from '@atproto/xrpc-server'
import type { Server as XrpcServer } from '@atproto/xrpc-server'

/** The one method and event of the `ws` server that we call. */
type WebSocketServer = {
  handleUpgrade(
    request: IncomingMessage,
    socket: Duplex,
    head: Buffer,
    then: (webSocket: unknown) => void,
  ): void
  emit(event: 'connection', webSocket: unknown, request: IncomingMessage): void
}

export function upgradeTo(
  xrpc: XrpcServer,
  { request, socket, head }: { request: IncomingMessage; socket: Duplex; head: Buffer },
): void {
  const nsid = extractUrlNsid(request.url ?? '')
  const subscription = nsid === undefined ? undefined : xrpc.subscriptions.get(nsid)
  if (subscription === undefined) return refuse(socket)
  const wss = subscription.wss as unknown as WebSocketServer
  wss.handleUpgrade(request, socket, head, (webSocket) => {
    wss.emit('connection', webSocket, request)
  })
}

function refuse(socket: Duplex): void {
  // An upgraded socket has no error handler any more; without one a reset would end the process.
  socket.on('error', () => socket.destroy())
  socket.end('HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n')
}
