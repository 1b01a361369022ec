// The seams between the rooms. A stage implements one of these and knows no other stage.
import type { BlobCid, ContentReason, Did, Hex, HostReason, MediaKind, Signals } from './blob.ts'
import type { Match } from './bank.ts'

/** Milliseconds since 1970; the only source of time. Tests hand in their own. */
export type Clock = () => number

export type FetchOutcome =
  | { kind: 'bytes'; host: string; bytes: Uint8Array; contentType?: string }
  /** Not now: the same host is asked again, not before `untilMs`. */
  | { kind: 'deferred'; host: string; reason: HostReason; untilMs: number }
  /** Not from this host; another host may have it. */
  | { kind: 'unavailable'; host: string; reason: HostReason }

/**
 * Gets a blob's bytes from the account's host and verifies them against the CID.
 * Never throws for what the other side does; idempotent; may be called concurrently.
 * Holds every limit: address, bytes, time, redirects, requests per host.
 */
export type BlobFetcher = {
  fetch(request: { did: Did; blobCid: BlobCid; signal: AbortSignal }): Promise<FetchOutcome>
  /** Bytes at a public address that a webhook named, without a CID to hold them against. */
  fetchUrl(request: { url: string; signal: AbortSignal }): Promise<FetchOutcome>
}

export type HostLookup =
  | { kind: 'found'; pds: string }
  | { kind: 'unavailable'; reason: HostReason }
  | { kind: 'deferred'; reason: HostReason }

/** Where an account lives, from its DID document. Bounded cache; concurrent lookups of one DID are one request. */
export type HostResolver = {
  /** `fresh` skips the cache: after an identity event, or when the host denies knowing the account. */
  pdsOf(did: Did, options: { signal: AbortSignal; fresh?: boolean }): Promise<HostLookup>
  /** The DID document's signing key (`did:key:…`), for verifying a record's proof. */
  signingKeyOf(
    did: Did,
    options: { signal: AbortSignal; fresh?: boolean },
  ): Promise<string | undefined>
  forget(did: Did): void
}

export type HashOutcome = {
  media: MediaKind
  /** `jpeg`, `png`, … by the bytes, for people. */
  format: string
  signals: Signals
  /** Set when not every signal that the kind requires could be computed. */
  unscannable?: ContentReason
}

/**
 * Bytes to signals. Digests always come back; decoding happens in a sandboxed child, so a hostile
 * image ends in `unscannable`, never in a crash of this process. Throws RetryableError only when no child can be started.
 */
export type Hasher = {
  hash(input: {
    bytes: Uint8Array
    contentType?: string
    signal: AbortSignal
  }): Promise<HashOutcome>
}

export type MatchOptions = {
  /** Nearer than each bank allows; never farther. */
  distanceMax?: { pdq?: number; clip?: number }
}

/**
 * The bank index. `match` is exact: what a linear scan over the live signals of all banks finds within each bank's
 * distance, each signal once by its nearest variant (plainest first), in the order (bank, content, signal). Concurrent
 * calls are allowed; nothing is waited for while an index is rebuilt. Ratio and negative banks are not its business.
 */
export type Matcher = {
  /** The bank change that the index includes; compare with the database's to know whether it is stale. */
  generation(): number
  match(signals: Signals, options?: MatchOptions): Promise<{ matches: Match[]; generation: number }>
}

/** What the PDS says about a subject; `ref` is the free text of whoever took it down. */
export type SubjectStatus =
  { kind: 'known'; applied: boolean; ref?: string } | { kind: 'not-found' }

export type RemoteSubject =
  | { kind: 'blob'; did: Did; blobCid: BlobCid }
  | { kind: 'record'; did: Did; collection: string; rkey: string; recordCid: string }

export type SendOutcome =
  | { kind: 'done'; detail: Record<string, string | number | boolean> }
  | { kind: 'refused'; reason: string }
  | { kind: 'retry'; reason: string; afterMs?: number }

/** The one host whose admin interface we hold credentials for. Set-style, so sending twice is harmless. */
export type TakedownPort = {
  status(subject: RemoteSubject, signal: AbortSignal): Promise<SubjectStatus>
  set(
    subject: RemoteSubject,
    takedown: { applied: boolean; ref: string },
    signal: AbortSignal,
  ): Promise<void>
}

export type LabelInput = { uri: string; cid?: string; val: string; neg: boolean; cts: string }
export type SignedLabel = LabelInput & { src: Did; sigHex: Hex }
