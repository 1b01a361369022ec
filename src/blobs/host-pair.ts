// The one address that the operator vouches for: "the PDS at this public URL is dialled at that address".
// It is the only way past the address guard, so it is matched by exact origin and widened by nothing that comes from outside.
import { UsageError } from '../domain/errors.ts'

/** Two origins. `url`: what DID documents say. `address`: what is dialled instead; may be http, private or loopback. */
export type HostPair = { url: string; address: string }

/** Two origins as an operator writes them. Throws UsageError when either is more or less than an http(s) origin. */
export function parseHostPair(pair: { url: string; address: string }): HostPair {
  return { url: parseOrigin(pair.url), address: parseOrigin(pair.address) }
}

/** The address for this origin, when it is the pair's; undefined means: through the guard. */
export function pairedAddress(origin: string, pair: HostPair | undefined): string | undefined {
  return pair !== undefined && origin === pair.url ? pair.address : undefined
}

/** The http(s) origin of an endpoint that others wrote, without user, path or query; undefined when it is none. */
export function originOf(endpoint: string): string | undefined {
  const url = URL.parse(endpoint)
  if (url === null || (url.protocol !== 'https:' && url.protocol !== 'http:')) return undefined
  return url.origin
}

function parseOrigin(text: string): string {
  const url = URL.parse(text)
  const origin = originOf(text)
  // `href` has nothing but the origin and a slash: no user, path, query or fragment that we would silently drop.
  if (url === null || origin === undefined || url.href !== `${origin}/`) {
    throw new UsageError(`Not an http(s) origin such as https://pds.example.com: ${text}`)
  }
  return origin
}
