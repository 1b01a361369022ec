// Frames to one SourceBatch: what each frame adds, and what is kept of a frame that cannot be read.
//
// Order within a batch: the step applies the sightings first, then each delete to the rows with rev <= the delete's rev
// (revisions are TIDs, so text order is their order), then the accounts. A record made, deleted and made again is left once.
import type { AccountStatus, SourceBatch } from '../domain/batch.ts'
import { emptyBatch } from '../domain/batch.ts'
import type { Did } from '../domain/blob.ts'
import { blobRefsIn, walkLimits } from './blob-walker.ts'
import type { FrameOp } from './commit-ops.ts'
import type { CommitFrame, Frame } from './frame.ts'
import { plainText } from './plain-text.ts'
import { arrive, type Position } from './position.ts'
import { rawLinksIn } from './raw-links.ts'

/** The event stream specification's limit for one frame. */
export const frameBytesMax = 5_000_000
/** What is kept of a frame above that. */
export const frameBytesKept = 65_536
const errorCharsMax = 500

export type FrameCounts = {
  frames: number
  bytes: number
  /** Had before: at or below the position. */
  skipped: number
  /** Commits of which a part could not be read; their bytes are among the undecodable. */
  faulty: number
  /** Records in which a limit of the blob walk was met. */
  truncated: number
}

export type FrameBatch = {
  batch: SourceBatch
  counts: FrameCounts
  syncs: { did: Did; rev: string }[]
  /** Whether an event moved the position. */
  moved: boolean
}

export function newFrameBatch(): FrameBatch {
  const counts = { frames: 0, bytes: 0, skipped: 0, faulty: 0, truncated: 0 }
  return { batch: emptyBatch(), counts, syncs: [], moved: false }
}

/** `info` and `error` frames are the caller's: they say something about the connection, not about the network. */
export function addFrame(
  into: FrameBatch,
  position: Position,
  arrived: { frame: Frame; bytes: Uint8Array; nowMs: number; ignoredDids: ReadonlySet<Did> },
): void {
  const { frame, bytes, nowMs, ignoredDids } = arrived
  into.counts.frames += 1
  into.counts.bytes += bytes.length
  if ('seq' in frame && frame.seq !== undefined) {
    const timeMs = 'timeMs' in frame ? frame.timeMs : null
    const outcome = arrive(position, { seq: frame.seq, timeMs }, nowMs)
    if (outcome.kind === 'skip') {
      into.counts.skipped += 1
      return
    }
    into.moved = true
    if (outcome.gap) into.batch.gaps.push(outcome.gap)
  }
  if ('did' in frame && ignoredDids.has(frame.did)) return
  addContent(into, frame, bytes)
}

/** A frame that is not CBOR, or larger than the limit: kept, never decoded. */
export function addUnread(into: FrameBatch, bytes: Uint8Array, error: string): void {
  into.counts.frames += 1
  into.counts.bytes += bytes.length
  keep(into, null, bytes, error)
}

function addContent(into: FrameBatch, frame: Frame, bytes: Uint8Array): void {
  const { batch } = into
  switch (frame.kind) {
    case 'commit':
      return addCommit(into, frame, bytes)
    case 'identity':
      batch.identities.push(frame.did)
      return
    case 'account':
      batch.accounts.push({ did: frame.did, status: statusOf(frame.active, frame.status) })
      return
    case 'sync':
      into.syncs.push({ did: frame.did, rev: frame.rev })
      return
    case 'unknown':
      // A kind of event that a later build may understand: nothing seen is lost (promise 1).
      return keep(into, frame.seq ?? null, bytes, `unknown frame type ${frame.t}`)
    case 'undecodable':
      return keep(into, frame.seq ?? null, bytes, frame.error)
    case 'info':
    case 'error':
      return
    default:
      frame satisfies never
  }
}

function addCommit(into: FrameBatch, frame: CommitFrame, bytes: Uint8Array): void {
  const { did, rev } = frame
  const faults = [...frame.faults]
  for (const op of frame.ops) {
    const { collection, rkey, cid } = op
    if (op.action === 'delete') into.batch.recordDeletes.push({ did, collection, rkey, rev })
    if (op.block === undefined || cid === undefined) continue
    const { cids, truncated } = blobsOf(op, op.block)
    for (const blobCid of cids) {
      into.batch.sightings.push({
        did,
        blobCid,
        source: 'firehose',
        collection,
        rkey,
        rev,
        recordCid: cid,
      })
    }
    if (truncated) {
      into.counts.truncated += 1
      faults.push(`${collection}/${rkey} is too deep or too wide to walk to the end`)
    }
  }
  if (faults.length === 0) return
  into.counts.faulty += 1
  keep(into, frame.seq, bytes, faults.join('; '))
}

/** Where the record cannot be read to its end, every link to raw bytes in it counts as a blob. */
function blobsOf(op: FrameOp, block: Uint8Array): { cids: Iterable<string>; truncated: boolean } {
  if (op.record === undefined) {
    return { cids: rawLinksIn(block, walkLimits.refsMax), truncated: false }
  }
  const { refs, truncated } = blobRefsIn(op.record)
  const cids = refs.map((ref) => ref.cid)
  if (!truncated) return { cids, truncated }
  return { cids: new Set([...cids, ...rawLinksIn(block, walkLimits.refsMax)]), truncated }
}

const statuses: ReadonlySet<string> = new Set<AccountStatus>([
  'deactivated',
  'suspended',
  'takendown',
  'deleted',
  'desynchronized',
  'throttled',
])

function statusOf(active: boolean, status: string | undefined): AccountStatus {
  if (active) return 'active'
  return status !== undefined && statuses.has(status) ? (status as AccountStatus) : 'unknown'
}

function keep(into: FrameBatch, seq: number | null, bytes: Uint8Array, error: string): void {
  const cut = bytes.length > frameBytesMax
  into.batch.undecodable.push({
    seq,
    // A copy: the frame is a view into the socket's larger buffer.
    bytes: bytes.slice(0, cut ? frameBytesKept : bytes.length),
    error: plainText(
      cut ? `${error} (the first ${frameBytesKept} of ${bytes.length} bytes kept)` : error,
      errorCharsMax,
    ),
  })
}
