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
  /** The handle that the DID document claims; nobody asked the handle's host. */
  handleOf(did: Did, options: { signal: AbortSignal }): Promise<string | undefined>
  forget(did: Did): void
}

export type HashOutcome = {
  media: MediaKind
  /** `jpeg`, `png`, … by the bytes, for people. */
  format: string
  signals: Signals
  /** Set when not every signal that the kind requires could be computed. */
  unscannable?: ContentReason
  /** Plug-ins that gave no answer at this moment, by name. Their types are not in `signals.others`; nothing is `clear`. */
  failedPlugins?: string[]
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
  /** As `match` of each, in their order, and of one generation: sooner than one after the other. */
  matchMany(
    many: readonly Signals[],
    options?: MatchOptions,
  ): Promise<{ matches: Match[][]; generation: number }>
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

/**
 * Where sealed files lie. Names are ours, random, 40 hex digits, and tell nothing; anything else is a TypeError before
 * anything is touched. All may be called concurrently. What the store does not do now is a RetryableError, what it will
 * never do (wrong key, too large) a PermanentError; neither carries a name, a key or an answer's body.
 */
export type EvidenceStore = {
  kind: 'disk' | 's3'
  /** Durable on return; whole or not there. The same name again replaces it: safe to repeat. */
  put(name: string, bytes: Uint8Array, signal: AbortSignal): Promise<void>
  /** undefined: there is none. */
  get(name: string, signal: AbortSignal): Promise<Uint8Array | undefined>
  /** Size in bytes; undefined: there is none. */
  has(name: string, signal: AbortSignal): Promise<number | undefined>
  /**
   * Not to be had any more on return, also when it was gone before: safe to repeat. `versionsKept`: the store said that it
   * keeps what was deleted (a versioned bucket), and the bytes go only when its own rules say so.
   */
  remove(name: string, signal: AbortSignal): Promise<{ versionsKept: boolean }>
}

export type RecordCopy =
  { kind: 'record'; cid: string | undefined; json: string } | { kind: 'none'; reason: HostReason }

/** The record as its host serves it now, unverified: context for evidence. Never throws for what the other side does. */
export type RecordReader = (place: {
  did: Did
  collection: string
  rkey: string
  signal: AbortSignal
}) => Promise<RecordCopy>

export type LabelInput = { uri: string; cid?: string; val: string; neg: boolean; cts: string }
export type SignedLabel = LabelInput & { src: Did; sigHex: Hex }

/** What a programme says about one of its items. `type` and `value` are its own words: nothing of them is believed yet. */
export type ExchangeUpdate =
  /** All of the item: what it had before is gone. */
  | {
      op: 'put'
      id: string
      signals: { type: string; value: string }[]
      tags: string[]
    }
  | { op: 'delete'; id: string }

export type ExchangeFetch =
  /** In order: of two about one item the later counts. `more`: ask again at once, with `checkpoint`. */
  | { kind: 'updates'; updates: ExchangeUpdate[]; checkpoint: unknown; more: boolean }
  /** `reason`: a word of ours, never the programme's. */
  | { kind: 'failed'; reason: string }

/**
 * One exchange at its programme, one ask at a time. All that it knows of before is the checkpoint: JSON in its own form, or
 * undefined for the beginning. Idempotent: asked again with the same one it gives the same changes or later ones, in this
 * client or in another one. With `more` the checkpoint is another one than was asked with. Does not try again by itself:
 * who asks waits longer with each failure. Never throws for what the programme does, holds every limit on it, and ends
 * soon after the signal aborts.
 */
export type ExchangeClient = AsyncDisposable & {
  fetch(checkpoint: unknown, signal: AbortSignal): Promise<ExchangeFetch>
}

/** `config`: of the exchange, as it was set up. `credentials`: of its api, as they were set over HMA's interface or imported. */
export type ExchangeSetup = {
  config: Record<string, unknown>
  credentials?: Record<string, unknown>
}

/** A client for each api that is known here. */
export type ExchangeApis = ReadonlyMap<string, (setup: ExchangeSetup) => ExchangeClient>
