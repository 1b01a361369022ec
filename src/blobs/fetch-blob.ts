// A blob's bytes from the account's own host.
// It promises: bytes come back only when their sha2-256 is the CID's; one answer says whether this host may be asked
// again (`deferred`) or not (`unavailable`); nothing here throws for what the other side does.
// It assumes a HostClient that holds the limits and guards the address. A crash leaves nothing behind.
import type { Did } from '../domain/blob.ts'
import { blobDigest } from '../domain/cid.ts'
import type { BlobFetcher, Clock, FetchOutcome, HostResolver } from '../domain/ports.ts'
import { createHostClient } from './host-client.ts'
import type { HostAnswer, HostClient } from './host-client.ts'
import { originOf } from './host-pair.ts'
import type { HostPair } from './host-pair.ts'
import type { FetchLimits } from './limits.ts'
import { deniesAccount, refusalReason } from './refusal.ts'

/** Stands where no host could be found out. */
export const hostUnknown = 'unknown'

export type BlobFetcherOptions = {
  resolver: HostResolver
  clock: Clock
  /** Share it with `verifyRecordCarries`, so that one budget and one breaker hold for both. */
  client?: HostClient
  /** For the client that is made when none is given. */
  pair?: HostPair | undefined
  limits?: Partial<FetchLimits>
  userAgent?: string
}

export function createBlobFetcher(options: BlobFetcherOptions): BlobFetcher {
  const { resolver, clock } = options
  const client = options.client ?? createHostClient(options)
  const { blobBytesMax, retryAfterMs } = client.limits

  const fetch: BlobFetcher['fetch'] = async ({ did, blobCid, signal }) => {
    const digest = blobDigest(blobCid)
    // Bytes that we could not hold against their name are not fetched at all.
    if (digest === undefined) return unavailable(hostUnknown, 'wrong-cid')
    const host = await hostOf(did, { signal, fresh: false })
    if (typeof host !== 'string') return host
    const ask = (origin: string) =>
      client.get({ url: blobUrl(origin, did, blobCid), bytesMax: blobBytesMax, signal })

    const answer = await ask(host)
    if (answer.kind !== 'refused' || !deniesAccount(answer)) return outcome(host, answer, digest)
    const movedTo = await hostOf(did, { signal, fresh: true })
    if (typeof movedTo !== 'string') return movedTo
    if (movedTo === host) return unavailable(host, 'not-found')
    return outcome(movedTo, await ask(movedTo), digest)
  }

  const fetchUrl: BlobFetcher['fetchUrl'] = async ({ url: text, signal }) => {
    const url = URL.parse(text)
    const host = originOf(text)
    // A user or password in an address is somebody's credential; it is never sent on.
    if (url === null || host === undefined || url.username !== '' || url.password !== '') {
      return unavailable(host ?? hostUnknown, 'forbidden-address')
    }
    return outcome(host, await client.get({ url, bytesMax: blobBytesMax, signal }))
  }

  async function hostOf(
    did: Did,
    options: { signal: AbortSignal; fresh: boolean },
  ): Promise<string | FetchOutcome> {
    const lookup = await resolver.pdsOf(did, options)
    switch (lookup.kind) {
      case 'found':
        return lookup.pds
      case 'unavailable':
        return unavailable(hostUnknown, lookup.reason)
      case 'deferred': {
        const untilMs = clock() + retryAfterMs
        return { kind: 'deferred', host: hostUnknown, reason: lookup.reason, untilMs }
      }
      default:
        return lookup satisfies never
    }
  }

  return { fetch, fetchUrl }
}

function blobUrl(origin: string, did: Did, blobCid: string): URL {
  const url = new URL('/xrpc/com.atproto.sync.getBlob', origin)
  url.searchParams.set('did', did)
  url.searchParams.set('cid', blobCid)
  return url
}

/** `digest` is what the bytes have to have; without one they are taken as they are. */
function outcome(host: string, answer: HostAnswer, digest?: string): FetchOutcome {
  switch (answer.kind) {
    case 'ok': {
      if (digest !== undefined && answer.sha256 !== digest) return unavailable(host, 'wrong-cid')
      const { bytes, contentType } = answer
      return { kind: 'bytes', host, bytes, ...(contentType === undefined ? {} : { contentType }) }
    }
    case 'refused':
      return unavailable(host, refusalReason(answer))
    case 'deferred':
      return { kind: 'deferred', host, reason: answer.reason, untilMs: answer.untilMs }
    case 'unavailable':
      return unavailable(host, answer.reason)
    default:
      return answer satisfies never
  }
}

function unavailable(host: string, reason: (FetchOutcome & { kind: 'unavailable' })['reason']) {
  return { kind: 'unavailable', host, reason } satisfies FetchOutcome
}
