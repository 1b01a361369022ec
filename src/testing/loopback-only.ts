// dev-env's PDS and PLC listen on every interface, with a password that everybody knows, and cannot be told otherwise.
import { Server } from 'node:net'

/** Until disposed, a server of this process that is given a port alone listens on 127.0.0.1. */
export function loopbackOnly(): Disposable {
  // oxlint-disable-next-line typescript/unbound-method -- called with its `this` below
  const { listen } = Server.prototype
  Server.prototype.listen = function (this: Server, ...args: unknown[]) {
    const [port, next] = args
    const isPortAlone = typeof port === 'number' && typeof next !== 'string'
    const given = isPortAlone ? [port, '127.0.0.1', ...args.slice(1)] : args
    return Reflect.apply(listen, this, given) as Server
  }
  return {
    [Symbol.dispose]() {
      Server.prototype.listen = listen
    },
  }
}
