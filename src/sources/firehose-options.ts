// What the firehose needs from outside, and what it tells.
import type { TakeIn } from '../domain/batch.ts'
import type { Did } from '../domain/blob.ts'
import type { Clock } from '../domain/ports.ts'
import type { Log } from '../telemetry/log.ts'
import type { FrameCounts } from './frame-batch.ts'
import type { StreamTimes } from './frame-stream.ts'

export type StoredCursor = { position: number | null; epoch: number; eventTimeMs: number | null }

/** `host` in a log line is the name without its scheme. */
export function nameOf(host: string): string {
  return URL.canParse(host) ? new URL(host).host : host
}

/** Told after the fact. `taken` is called once per durable batch. */
export type FirehoseMetrics = {
  connected?(): void
  disconnected?(reason: string): void
  taken?(batch: TakenBatch): void
  retrying?(reason: string): void
  /** Intake was stopped (low disk) or may go on. */
  paused?(paused: boolean): void
}

export type TakenBatch = FrameCounts & {
  sightings: number
  undecodable: number
  gaps: number
  syncs: number
  position: number | null
  eventTimeMs: number | null
}

export type FirehoseOptions = {
  /** Where to connect: ws, wss, http or https origin of the PDS or relay. */
  url: string
  /** The key of the cursor: the origin as configured. */
  host: string
  takeIn: TakeIn
  loadCursor(): Promise<StoredCursor>
  /** Accounts whose events move the cursor and nothing else: our own labeler. */
  ignoredDids: ReadonlySet<Did>
  clock: Clock
  log: Pick<Log, 'info' | 'warn'>
  /** Where a host without a stored cursor is begun. Either way a `first-start` gap is handed in. Default `oldest`. */
  firstStart?: 'oldest' | 'live'
  /** Cached facts about the account are stale. Called before the batch is taken. */
  onIdentity?(did: Did): void
  /**
   * The account's records were set without commits and its blobs have not been seen. Called before the batch is taken, so at
   * least once; must be idempotent and durable on return; a RetryableError is tried again with the batch.
   */
  onSync?(sync: { did: Did; rev: string }): Promise<void>
  metrics?: FirehoseMetrics
  /** False stops reading, and the events wait at the host. */
  intakeAllowed?(): boolean
  limits?: Partial<BatchLimits>
  times?: Partial<StreamTimes>
  random?(): number
}

export type BatchLimits = {
  framesMax: number
  /** From the first frame on. */
  waitMs: number
  /** Bounds what a batch of large frames holds in memory. */
  bytesMax: number
  sightingsMax: number
}

export const batchLimits: BatchLimits = {
  framesMax: 500,
  waitMs: 50,
  bytesMax: 16_000_000,
  sightingsMax: 5_000,
}
