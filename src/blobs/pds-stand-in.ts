// Test helper: a blob, a loopback host that stands in for the account's PDS, and a clock that stands still.
import { createHash, randomBytes } from 'node:crypto'
import { blobCidOf } from '../domain/cid.ts'
import type { BlobFetcher, FetchOutcome, HostLookup, HostResolver } from '../domain/ports.ts'
import { createBlobFetcher } from './fetch-blob.ts'
import { createHostClient } from './host-client.ts'
import type { FetchLimits } from './limits.ts'
import { publicHosts, unhurried } from './loopback-host.ts'
import type { LoopbackHost } from './loopback-host.ts'

export const did = `did:plc:${'b'.repeat(24)}`
export const photo = randomBytes(20_000)
export const photoCid = cidOf(photo)
export const pairUrl = 'https://pds.watch.net'
/** The clock stands still here, so that `untilMs` is exact. */
export const nowMs = 1_800_000_000_000

export function cidOf(bytes: Uint8Array): string {
  return blobCidOf(createHash('sha256').update(bytes).digest('hex'))
}

export function resolverOf(pdsOf: (fresh: boolean) => HostLookup): HostResolver {
  return {
    pdsOf: (_did, { fresh = false }) => Promise.resolve(pdsOf(fresh)),
    signingKeyOf: () => Promise.resolve(undefined),
    handleOf: async () => undefined,
    forget: () => undefined,
  }
}

export function fetcherFor(
  pds: LoopbackHost,
  limits: Partial<FetchLimits> = {},
  guardedFetch = publicHosts({}),
): BlobFetcher {
  const clock = () => nowMs
  const pair = { url: pairUrl, address: pds.origin }
  const client = createHostClient({ clock, pair, limits, guardedFetch })
  return createBlobFetcher({
    clock,
    client,
    resolver: resolverOf(() => ({ kind: 'found', pds: pairUrl })),
  })
}

export function fetchFrom(
  pds: LoopbackHost,
  limits: Partial<FetchLimits> = {},
  guardedFetch = publicHosts({}),
): Promise<FetchOutcome> {
  const request = { did, blobCid: photoCid, signal: unhurried }
  return fetcherFor(pds, limits, guardedFetch).fetch(request)
}

export function unavailable(reason: string) {
  return { kind: 'unavailable', host: pairUrl, reason }
}

export function deferred(reason: string, untilMs = nowMs + 5000) {
  return { kind: 'deferred', host: pairUrl, reason, untilMs }
}
