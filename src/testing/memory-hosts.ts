// Hosts in memory: who keeps which text, and the administered one with what stands on it. Both count what is asked of them.
import { createHash } from 'node:crypto'
import { NotNowError } from '../actions/refusal.ts'
import { blobCidOf, blobDigest } from '../domain/cid.ts'
import type {
  BlobFetcher,
  FetchOutcome,
  HostLookup,
  RemoteSubject,
  SubjectStatus,
  TakedownPort,
} from '../domain/ports.ts'

export const worldPds = 'https://pds.test'

export function digestOfBytes(bytes: string): string {
  return createHash('sha256').update(bytes).digest('hex')
}

export function cidOfBytes(bytes: string): string {
  return blobCidOf(digestOfBytes(bytes))
}

/** Hosts that keep texts by their CID. */
export function memoryHosts(clock: () => number) {
  const kept = new Map<string, Map<string, string>>()
  const homes = new Map<string, HostLookup>()
  const answers = new Map<string, FetchOutcome>()
  const fetched: string[] = []
  const lookup = (did: string): HostLookup => homes.get(did) ?? { kind: 'found', pds: worldPds }
  const fetcher: BlobFetcher = {
    async fetch({ did, blobCid }) {
      const home = lookup(did)
      const host = home.kind === 'found' ? home.pds : ''
      fetched.push(`${host} ${blobCid}`)
      const text = kept.get(host)?.get(blobCid)
      const given = answers.get(host)
      if (given !== undefined) return given
      return text === undefined
        ? { kind: 'unavailable', host, reason: 'not-found' }
        : { kind: 'bytes', host, bytes: Buffer.from(text) }
    },
    async fetchUrl({ url }) {
      fetched.push(url)
      const text = kept.get(url)?.values().next().value
      return text === undefined
        ? { kind: 'deferred', host: url, reason: 'not-found', untilMs: clock() }
        : { kind: 'bytes', host: url, bytes: Buffer.from(text) }
    },
  }
  return {
    fetcher,
    resolver: {
      pdsOf: async (did: string) => lookup(did),
      signingKeyOf: async () => undefined,
      handleOf: async () => undefined,
      forget: () => undefined,
    },
    /** What was asked for, in order: host and CID, or the address. */
    fetched,
    keep(host: string, bytes: string) {
      const shelf = kept.get(host) ?? new Map<string, string>()
      kept.set(host, shelf.set(cidOfBytes(bytes), bytes))
    },
    /** The host answers this to everything; undefined: as usual again. */
    answer(host: string, outcome: FetchOutcome | undefined) {
      if (outcome === undefined) answers.delete(host)
      else answers.set(host, outcome)
    },
    home(did: string, where: HostLookup) {
      homes.set(did, where)
    },
  }
}

/** The administered host: what stands, and every call that set something. */
export function memoryPds() {
  const standing = new Map<string, { applied: boolean; ref: string }>()
  const sets: { key: string; applied: boolean; ref: string }[] = []
  let isDown = false
  const keyOf = (subject: RemoteSubject) =>
    subject.kind === 'blob'
      ? `${subject.did} ${blobDigest(subject.blobCid)}`
      : `${subject.did} ${subject.collection}/${subject.rkey}`
  const port: TakedownPort = {
    async status(subject): Promise<SubjectStatus> {
      if (isDown) throw new NotNowError('network', 'the host cannot be reached')
      return { kind: 'known', applied: false, ...standing.get(keyOf(subject)) }
    },
    async set(subject, takedown) {
      if (isDown) throw new NotNowError('network', 'the host cannot be reached')
      standing.set(keyOf(subject), takedown)
      sets.push({ key: keyOf(subject), ...takedown })
    },
  }
  return {
    port,
    sets,
    down(on: boolean) {
      isDown = on
    },
    /** Somebody else takes the same thing down. */
    overwrite(key: string, ref: string) {
      standing.set(key, { applied: true, ref })
    },
    /** The subjects that are taken down now. */
    takenDown: () => [...standing].filter(([, { applied }]) => applied).map(([key]) => key),
  }
}
