// The fetch for every address that others chose.
// It promises: https, default port, a name and not an IP address, and every address the name resolves to is public
// unicast. The names are judged in the socket's own lookup, so there is no moment between the check and the connection.
// It assumes that nobody replaces node:dns and that TLS is verified (NODE_TLS_REJECT_UNAUTHORIZED is not 0).
// Cookies and credentials do not exist here: fetch in Node keeps no jar, and nothing in this room sets a header for them.
import { FetchRequestError, safeFetchWrap } from '@atproto-labs/fetch-node'
import type { HostReason } from '../domain/blob.ts'

export type Fetch = typeof globalThis.fetch

/** Time and size are counted by read-body.ts, which can tell one failure from the other; hence Infinity here. */
export function createGuardedFetch(): Fetch {
  const guarded = safeFetchWrap({
    allowIpHost: false,
    allowImplicitRedirect: false,
    timeout: Infinity,
    responseMaxSize: Infinity,
  })
  return (input, init) => guarded(input, init)
}

export type FetchFault = { kind: 'unavailable' | 'deferred'; reason: HostReason }

/** What an error from fetch or from a body means. An unknown error is the network's: another try is the safe answer. */
export function faultOf(error: unknown): FetchFault {
  const cause = rootCause(error)
  if (isRefusedAddress(error, cause)) return { kind: 'unavailable', reason: 'forbidden-address' }
  const { code, name } = cause as { code?: unknown; name?: unknown }
  const isCut = code === 'HPE_INVALID_EOF_STATE'
  if (name === 'HTTPParserError' && !isCut) return { kind: 'unavailable', reason: 'bad-answer' }
  if (typeof code === 'string' && badAnswerCodes.test(code)) {
    return { kind: 'unavailable', reason: 'bad-answer' }
  }
  return { kind: 'deferred', reason: 'network' }
}

/** zlib and brotli refuse the encoding, or undici refuses the headers. */
const badAnswerCodes = /^(Z_|ERR__|ERR_BROTLI|ERR_ZSTD|ZSTD_|UND_ERR_HEADERS_OVERFLOW)/

/** fetch-node says these in words only; the tests hold them against the installed version. */
const guardMessages = [
  'Hostname is not a public domain',
  'Hostname resolved to non-unicast address',
  'Blocked by url policy',
]

function isRefusedAddress(error: unknown, cause: object): boolean {
  if (error instanceof FetchRequestError || cause instanceof FetchRequestError) return true
  return (
    cause instanceof Error &&
    !('code' in cause) &&
    guardMessages.some((message) => cause.message.startsWith(message))
  )
}

function rootCause(error: unknown): object {
  const cause = error instanceof Error && error.cause !== undefined ? error.cause : error
  return typeof cause === 'object' && cause !== null ? cause : {}
}
