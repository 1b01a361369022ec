// One DID, resolved once, without a cache: what its document says about host and key, or why there is no document.
import { DidPlcResolver, DidWebResolver, getHandle, getKey, getPds } from '@atproto/identity'
import type { DidDocument } from '@atproto/identity'
import type { Did, HostReason } from '../domain/blob.ts'
import type { Fetch } from './guarded-fetch.ts'
import type { HostAnswer, HostClient } from './host-client.ts'
import { originOf } from './host-pair.ts'

/** A handle is a host name. */
const handleCharsMax = 253

export type Identity =
  | {
      kind: 'document'
      pds: string | undefined
      signingKey: string | undefined
      handle: string | undefined
    }
  | { kind: 'unavailable'; reason: HostReason }
  | { kind: 'deferred'; reason: HostReason }

/**
 * Two clients, because two kinds of trust: `plc` may dial the configured directory plainly, `web` may not dial
 * anything plainly. With one client for both, a did:web that names the directory's address would reach it.
 */
export function createDidLookup({
  plcUrl,
  plc,
  web,
}: {
  plcUrl: string
  plc: HostClient
  web: HostClient
}): (did: Did) => Promise<Identity> {
  const timeoutMs = plc.limits.totalTimeMs + plc.limits.socketWaitMs
  const plcResolver = new DidPlcResolver(plcUrl, timeoutMs, undefined, documentFetch(plc))
  const webResolver = new DidWebResolver(timeoutMs, undefined, documentFetch(web))

  return async (did) => {
    const method = methodOf(did)
    try {
      switch (method) {
        case 'plc':
          return identityOf(await plcResolver.resolve(did))
        case 'web':
          return identityOf(await webResolver.resolve(did))
        case undefined:
          return { kind: 'unavailable', reason: 'identity-failed' }
        default:
          return method satisfies never
      }
    } catch (error) {
      if (error instanceof LookupFailure) return error.identity
      // The answer was no DID document of this DID. The directory may be broken for a while; did:web is its owner's doing.
      return method === 'plc'
        ? { kind: 'deferred', reason: 'bad-answer' }
        : { kind: 'unavailable', reason: 'identity-failed' }
    }
  }
}

/** atproto's did:web has a host and no path; a host is judged by the guard, everything else is no did:web here. */
function methodOf(did: Did): 'plc' | 'web' | undefined {
  if (/^did:plc:[a-z2-7]{24}$/.test(did)) return 'plc'
  const host = /^did:web:([a-zA-Z0-9.%[\]-]{1,253})$/.exec(did)?.[1]
  if (host === undefined) return undefined
  try {
    const url = URL.parse(`https://${decodeURIComponent(host)}`)
    return url !== null && url.href === `https://${url.host}/` ? 'web' : undefined
  } catch {
    // A percent sign that encodes nothing.
    return undefined
  }
}

function identityOf(document: DidDocument | null): Identity {
  if (document === null) return { kind: 'unavailable', reason: 'identity-failed' }
  const endpoint = getPds(document)
  return {
    kind: 'document',
    pds: endpoint === undefined ? undefined : originOf(endpoint),
    signingKey: signingKeyOf(document),
    handle: getHandle(document)?.slice(0, handleCharsMax),
  }
}

function signingKeyOf(document: DidDocument): string | undefined {
  try {
    return getKey(document)
  } catch {
    // A key that does not parse is as good as none; the host may still be used.
    return undefined
  }
}

/** The fetch that @atproto/identity calls, answered by our client and its limits. */
function documentFetch(client: HostClient): Fetch {
  return async (input, init) => {
    const answer = await client.get({
      url: new URL(input instanceof Request ? input.url : input),
      bytesMax: client.limits.documentBytesMax,
      accept: 'application/did+ld+json,application/json',
      signal: init?.signal ?? new AbortController().signal,
    })
    return asResponse(answer)
  }
}

function asResponse(answer: HostAnswer): Response {
  switch (answer.kind) {
    case 'ok':
      return new Response(new Uint8Array(answer.bytes))
    // 404: no such DID. 410: tombstoned. Any other 4xx is the same to us: no document to be had by asking again.
    case 'refused':
      return new Response(null, { status: 404 })
    case 'deferred':
      throw new LookupFailure({ kind: 'deferred', reason: answer.reason })
    case 'unavailable':
      throw new LookupFailure({ kind: 'unavailable', reason: unavailableReason(answer.reason) })
    default:
      return answer satisfies never
  }
}

function unavailableReason(reason: HostReason): HostReason {
  return reason === 'forbidden-address' ? reason : 'identity-failed'
}

/** Carries our answer through @atproto/identity, which knows only documents and errors. */
class LookupFailure extends Error {
  override name = 'LookupFailure'
  identity: Identity
  constructor(identity: Identity) {
    super('the DID could not be looked up')
    this.identity = identity
  }
}
