// The address at the other end of the connection.
import type { Context } from 'hono'
import type { IncomingMessage } from 'node:http'
import type { HttpBindings } from '@hono/node-server'

/** Without a socket (a unix socket, a test without a server) there is none: ''. IPv4 comes as IPv4. */
export function remoteAddress(context: Context): string {
  const bindings = context.env as Partial<HttpBindings> | undefined
  return addressOf(bindings?.incoming)
}

export function addressOf(request: Pick<IncomingMessage, 'socket'> | undefined): string {
  const address = request?.socket.remoteAddress ?? ''
  return address.startsWith('::ffff:') ? address.slice('::ffff:'.length) : address
}
