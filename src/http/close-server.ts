// Closing a server that also carries web sockets, within a deadline.
import type { Server } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Server as XrpcServer } from '@atproto/xrpc-server'

const idleSweepMs = 50

/** Resolves when no connection is left; after `deadlineMs` what is left is cut. */
export async function closeWithin(options: {
  server: Server
  upgraded: Set<Duplex>
  deadlineMs: number
  xrpc?: XrpcServer
}): Promise<void> {
  const { server, upgraded, deadlineMs, xrpc } = options
  const { promise, resolve } = Promise.withResolvers<void>()
  server.close(() => resolve())
  sayGoodbye(xrpc)
  // A kept-alive connection turns idle only when its request ends, so this is asked again and again.
  const sweep = setInterval(() => server.closeIdleConnections(), idleSweepMs)
  const cut = setTimeout(() => {
    server.closeAllConnections()
    // node:http forgets a connection once it is upgraded.
    for (const socket of upgraded) socket.destroy()
  }, deadlineMs)
  await promise
  clearInterval(sweep)
  clearTimeout(cut)
}

/** 1001 (going away): consumers reconnect; they would not after 1000. */
function sayGoodbye(xrpc: XrpcServer | undefined): void {
  for (const subscription of xrpc?.subscriptions.values() ?? []) {
    const clients = subscription.wss.clients as Set<{ close(code: number, reason: string): void }>
    for (const client of clients) client.close(1001, 'going away')
  }
}
