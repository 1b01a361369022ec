// The address at the other end of the connection.
import type { Context } from 'hono'
import type { HttpBindings } from '@hono/node-server'

/** Without a socket (a unix socket, a test without a server) there is none: ''. IPv4 comes as IPv4. */
export function remoteAddress(context: Context): string {
  const bindings = context.env as Partial<HttpBindings> | undefined
  const address = bindings?.incoming?.socket.remoteAddress ?? ''
  return address.startsWith('::ffff:') ? address.slice('::ffff:'.length) : address
}
