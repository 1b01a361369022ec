// What is known about a blob: its name, its signals, and what a scan of it found.
import type { Variant } from './variant.ts'

/** CIDv1, codec raw (0x55), sha2-256 of the decoded bytes, base32 text (`bafkrei…`). */
export type BlobCid = string
export type Did = string
/** Lowercase hexadecimal. */
export type Hex = string

/** `image` and `video` by their first bytes; `other` is neither and needs digests only. */
export type MediaKind = 'image' | 'video' | 'other'

export const signalTypes = ['sha256', 'md5', 'sha1', 'pdq', 'clip'] as const
/** HMA's names. `clip`: the 512-bit form; banks hold it and lookups compare it, no hasher of ours makes it. */
export type SignalType = (typeof signalTypes)[number]

declare const isOfOthers: unique symbol
/** Of a plug-in: its name, as the manifest has it (`average_hash`); never one of ours (other-type.ts). */
export type OtherType = string & { readonly [isOfOthers]: true }
export type AnySignalType = SignalType | OtherType

/** Hex digits of a value of each type. */
export const signalDigits = { sha256: 64, md5: 32, sha1: 40, pdq: 64, clip: 128 } as const

export type Signals = {
  sha256: Hex
  md5?: Hex
  sha1?: Hex
  /** hash: 64 hex digits; quality: 0 to 100, under 50 is not compared (see `pdqQualityMin`). */
  pdq?: { hash: Hex; quality: number }
  /** The same picture looked at in other ways; `pdq` is the `original` and is not repeated here. Each of quality 50 or more. */
  variants?: PdqVariant[]
  clip?: Hex
  /** Of plug-ins, one a type; a type that is missing was not asked, or failed. */
  others?: OtherSignal[]
}

/** What a plug-in said about a blob. No `value`: it has none for these bytes, or refused them, which is no answer to rest on. */
export type OtherSignal = {
  type: OtherType
  version: string
  value?: Hex
  quality?: number
  refused?: true
}

export type PdqVariant = { variant: Variant; hash: Hex; quality: number }

/** Below this PDQ says too little about the picture; HMA and the reference leave it out of matching. */
export const pdqQualityMin = 50

/** The signal types a media kind needs before a scan of it may end in `clear`. */
export const requiredSignals = {
  image: ['sha256', 'md5', 'sha1', 'pdq'],
  video: ['sha256', 'md5', 'sha1'],
  other: ['sha256', 'md5', 'sha1'],
} as const satisfies Record<MediaKind, readonly SignalType[]>

/** Why the bytes themselves cannot be scanned: true for the blob wherever it lies, settled once per CID. */
export const contentReasons = [
  'unsupported-cid',
  'unsupported-format',
  'unsupported-video',
  'animated',
  'empty',
  'corrupt',
  'too-many-pixels',
  'decoder-memory',
  'decoder-timeout',
  'decoder-crash',
  'worker-crash',
] as const
export type ContentReason = (typeof contentReasons)[number]

/** Why one host did not give the bytes: true for that host only, the next host is tried. */
export const hostReasons = [
  'not-found',
  'account-inactive',
  'refused',
  'rate-limited',
  'server-error',
  'timeout',
  'network',
  'wrong-cid',
  'too-large',
  'bad-answer',
  'forbidden-address',
  'no-pds',
  'identity-failed',
  'host-failing',
] as const
export type HostReason = (typeof hostReasons)[number]

/** What a plug-in that is asked about this kind of media did: gave no answer, which is tried again when the blob is seen again; or refused the bytes. */
export const pluginReasons = ['plugin-failed', 'plugin-refused'] as const
export type PluginReason = (typeof pluginReasons)[number]

/** `no-host`: nothing is left that could give the bytes (sightings erased or aged out). */
export const otherReasons = ['no-host', ...pluginReasons] as const
export type UnscannableReason = ContentReason | HostReason | (typeof otherReasons)[number]

export type Verdict =
  { kind: 'clear' } | { kind: 'matched' } | { kind: 'unscannable'; reason: UnscannableReason }

/** One place where a blob was seen. `collection` and `rkey` are absent for an upload without a record. */
export type Sighting = {
  did: Did
  /** As the record spells it. A CID that is not CIDv1 raw sha2-256 is kept too and settled as `unsupported-cid`. */
  blobCid: BlobCid
  source: SourceKind
  collection?: string
  rkey?: string
  rev?: string
  recordCid?: string
}

export const sourceKinds = ['firehose', 'webhook', 'api'] as const
export type SourceKind = (typeof sourceKinds)[number]

/** The bits of `blob.coverage`: which signal types were computed. */
export const coverageBits = { sha256: 1, md5: 2, sha1: 4, pdq: 8 } as const

export function coverageOf(signals: Signals): number {
  return (
    coverageBits.sha256 |
    (signals.md5 === undefined ? 0 : coverageBits.md5) |
    (signals.sha1 === undefined ? 0 : coverageBits.sha1) |
    (signals.pdq === undefined ? 0 : coverageBits.pdq)
  )
}

/** True when every signal type that this kind of media requires was computed (promise 2). */
export function coversKind(signals: Signals, kind: MediaKind): boolean {
  return requiredSignals[kind].every((type) => signals[type] !== undefined)
}
