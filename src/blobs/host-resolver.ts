// Where an account lives and which key signs for it, from its DID document.
// It promises: a bounded cache; one request for concurrent lookups of one DID; failures remembered briefly, so that a
// directory that is down is not asked again by every sighting. The endpoint it gives is hostile: whoever dials it guards it.
// It assumes that the directory's address comes from the configuration. A crash forgets the cache and nothing else.
import { LRUCache } from 'lru-cache'
import type { Did } from '../domain/blob.ts'
import { msSince } from '../domain/ms-since.ts'
import type { Clock, HostLookup, HostResolver } from '../domain/ports.ts'
import { createDidLookup } from './did-lookup.ts'
import type { Identity } from './did-lookup.ts'
import type { Fetch } from './guarded-fetch.ts'
import { createHostClient } from './host-client.ts'
import { parseHostPair } from './host-pair.ts'
import { withDefaults } from './limits.ts'
import type { FetchLimits } from './limits.ts'

export type ResolverLimits = typeof resolverLimits

export const resolverLimits = {
  entriesMax: 50_000,
  documentTtlMs: 10 * 60_000,
  unavailableTtlMs: 60_000,
  deferredTtlMs: 5_000,
  /** The directory is one host for everybody; a cold start asks it for every account. */
  plcRequestsPerSecond: 100,
  plcSockets: 16,
  lookupTimeMs: 10_000,
}

export type HostResolverOptions = {
  /** The PLC directory's origin, from the configuration; may be http and loopback. The only thing dialled plainly. */
  plcUrl: string
  clock: Clock
  limits?: Partial<ResolverLimits>
  fetchLimits?: Partial<FetchLimits>
  userAgent?: string
  /** For tests that need a public did:web host. */
  guardedFetch?: Fetch
}

type Entry = { identity: Identity; readMs: number }

export function createHostResolver(options: HostResolverOptions): HostResolver {
  const { clock } = options
  const limits = { ...resolverLimits, ...options.limits }
  const lookup = createDidLookup(createClients(options, limits))
  const cache = new LRUCache<Did, Entry>({ max: limits.entriesMax })
  const inFlight = new Map<Did, Promise<Identity>>()

  async function identityOf(
    did: Did,
    { signal, fresh = false }: { signal: AbortSignal; fresh?: boolean },
  ): Promise<Identity> {
    const entry = fresh ? undefined : cache.get(did)
    if (entry !== undefined && msSince(entry.readMs, clock()) < ttlMs(entry.identity, limits))
      return entry.identity
    // A lookup that began before the caller asked for a fresh one may bring the old document.
    const running = fresh ? undefined : inFlight.get(did)
    return orAborted(running ?? start(did), signal)
  }

  function start(did: Did): Promise<Identity> {
    const running = lookup(did).then((identity) => {
      // Not after `forget` or a fresher lookup: then this answer is the old one.
      if (inFlight.get(did) !== running) return identity
      inFlight.delete(did)
      cache.set(did, { identity, readMs: clock() })
      return identity
    })
    inFlight.set(did, running)
    return running
  }

  return {
    async pdsOf(did, options) {
      return hostLookup(await identityOf(did, options))
    },
    async signingKeyOf(did, options) {
      const identity = await identityOf(did, options)
      return identity.kind === 'document' ? identity.signingKey : undefined
    },
    async handleOf(did, options) {
      const identity = await identityOf(did, options)
      return identity.kind === 'document' ? identity.handle : undefined
    },
    forget(did) {
      cache.delete(did)
      inFlight.delete(did)
    },
  }
}

function createClients(options: HostResolverOptions, limits: ResolverLimits) {
  const { clock, userAgent, guardedFetch } = options
  const pair = parseHostPair({ url: options.plcUrl, address: options.plcUrl })
  const shared = {
    clock,
    ...(userAgent === undefined ? {} : { userAgent }),
    ...(guardedFetch === undefined ? {} : { guardedFetch }),
  }
  const fetchLimits = withDefaults({
    totalTimeMs: limits.lookupTimeMs,
    ...options.fetchLimits,
    redirectsMax: 0,
  })
  const plcLimits = {
    ...fetchLimits,
    trustedRequestsPerSecond: limits.plcRequestsPerSecond,
    socketsPerHost: limits.plcSockets,
  }
  return {
    plcUrl: pair.url,
    plc: createHostClient({ ...shared, pair, limits: plcLimits }),
    web: createHostClient({ ...shared, limits: fetchLimits }),
  }
}

function hostLookup(identity: Identity): HostLookup {
  switch (identity.kind) {
    case 'document':
      return identity.pds === undefined
        ? { kind: 'unavailable', reason: 'no-pds' }
        : { kind: 'found', pds: identity.pds }
    case 'unavailable':
    case 'deferred':
      return identity
    default:
      return identity satisfies never
  }
}

function ttlMs(identity: Identity, limits: ResolverLimits): number {
  switch (identity.kind) {
    case 'document':
      return limits.documentTtlMs
    case 'unavailable':
      return limits.unavailableTtlMs
    case 'deferred':
      return limits.deferredTtlMs
    default:
      return identity satisfies never
  }
}

/** The lookup goes on for the others who wait for it. */
async function orAborted(running: Promise<Identity>, signal: AbortSignal): Promise<Identity> {
  const aborted = Promise.withResolvers<Identity>()
  const abort = () => aborted.resolve({ kind: 'deferred', reason: 'timeout' })
  signal.addEventListener('abort', abort)
  if (signal.aborted) abort()
  try {
    return await Promise.race([running, aborted.promise])
  } finally {
    signal.removeEventListener('abort', abort)
  }
}
