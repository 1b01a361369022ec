// Test helper: a host on loopback that counts who comes near it, and names that resolve to where a test says.
import dns from 'node:dns'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { IncomingMessage, RequestListener } from 'node:http'
import { syncBuiltinESMExports } from 'node:module'
import { isIP } from 'node:net'
import type { AddressInfo } from 'node:net'
import type { Fetch } from './guarded-fetch.ts'

export type LoopbackHost = AsyncDisposable & {
  origin: string
  port: number
  /** TCP connections, whether or not a request came over them. */
  connections: () => number
  requests: IncomingMessage[]
  /** Replaces what the host answers. */
  answer(handler: RequestListener): void
}

export async function startHost(
  handler: RequestListener = (_request, response) => void response.end(),
  { address = '127.0.0.1', port = 0 } = {},
): Promise<LoopbackHost> {
  let current = handler
  let connections = 0
  const requests: IncomingMessage[] = []
  const server = createServer((request, response) => {
    requests.push(request)
    current(request, response)
  })
  server.on('connection', () => (connections += 1))
  server.listen(port, address)
  await once(server, 'listening')
  const bound = (server.address() as AddressInfo).port
  const name = address.includes(':') ? `[${address}]` : address
  return {
    origin: `http://${name}:${bound}`,
    port: bound,
    connections: () => connections,
    requests,
    answer(next) {
      current = next
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

/** Names resolve as told and in no other way; the guard under test runs in the same lookup as ever. */
export function resolveNames(names: Record<string, string[]>): Disposable {
  const original = dns.lookup
  const lookup = (
    name: string,
    options: dns.LookupOptions,
    done: (error: Error | null, ...rest: unknown[]) => void,
  ) => {
    // Servers that listen at an address are looked up here too.
    const known = isIP(name) === 0 ? names[name] : [name]
    const found = known?.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }))
    const [first] = found ?? []
    if (found === undefined || first === undefined) {
      done(Object.assign(new Error(`getaddrinfo ENOTFOUND ${name}`), { code: 'ENOTFOUND' }))
    } else if (options.all === true) done(null, found)
    else done(null, first.address, first.family)
  }
  dns.lookup = lookup as unknown as typeof dns.lookup
  syncBuiltinESMExports()
  return {
    [Symbol.dispose]() {
      dns.lookup = original
      syncBuiltinESMExports()
    },
  }
}

/** A stand-in for the guarded fetch: each "public" origin is dialled at a loopback host, everything else is refused. */
export function publicHosts(hosts: Record<string, string>): Fetch {
  return (input, init) => {
    const url = new URL(input instanceof Request ? input.url : input)
    const address = hosts[url.origin]
    if (address === undefined) {
      return Promise.reject(
        new TypeError('fetch failed', { cause: new Error('Blocked by url policy (test)') }),
      )
    }
    return globalThis.fetch(new URL(`${url.pathname}${url.search}`, address), init)
  }
}

/** A document as plc.directory gives it. */
export function didDocument(did: string, endpoint: unknown, extra: object = {}): string {
  const pds = {
    id: '#atproto_pds',
    type: 'AtprotoPersonalDataServer',
    serviceEndpoint: endpoint,
  }
  return JSON.stringify({ id: did, service: endpoint === undefined ? [] : [pds], ...extra })
}

export const unhurried = new AbortController().signal
