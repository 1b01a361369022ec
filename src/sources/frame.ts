// One frame of com.atproto.sync.subscribeRepos: two CBOR values, header and body (https://atproto.com/specs/event-stream).
//
// Promises: never throws; what it cannot read is said (`undecodable`, or a commit's `faults`) and the readable rest still comes out.
// Assumes nothing is true: signatures, proofs and block hashes are not checked here ("cheap ingest, careful action").
// Texts that come out (DIDs, collections, record keys, revisions) are of valid syntax, so a database takes them.
import { decodeAll } from '@atproto/lex-cbor'
import { isValidDid, isValidTid } from '@atproto/syntax'
import type { Did } from '../domain/blob.ts'
import { errorMessage } from '../domain/errors.ts'
import { commitOps, type FrameOp } from './commit-ops.ts'

type Sequenced = { seq: number; did: Did; timeMs: number | null }

export type CommitFrame = Sequenced & {
  kind: 'commit'
  rev: string
  ops: FrameOp[]
  /** What could not be read of this commit, one sentence each; empty nearly always. */
  faults: string[]
  /** The host left the records out; deprecated in the lexicon but still legal. */
  tooBig?: true
}

export type Frame =
  | CommitFrame
  | (Sequenced & { kind: 'identity' })
  | (Sequenced & { kind: 'account'; active: boolean; status?: string })
  /** The repository's state was set without commits (an account moved in, a repository was rebuilt): read it again. */
  | (Sequenced & { kind: 'sync'; rev: string })
  | { kind: 'info'; name: string; message: string }
  | { kind: 'error'; error: string; message: string }
  | { kind: 'unknown'; t: string; seq?: number; timeMs: number | null }
  | { kind: 'undecodable'; error: string; seq?: number }

type Body = Record<string, unknown>

export function decodeFrame(bytes: Uint8Array): Frame {
  let body: Body | undefined
  try {
    const values = decodeAll(bytes)
    const header = asMap(values.next().value, 'header')
    body = asMap(values.next().value, 'body')
    if (values.next().done !== true) throw new TypeError('more than two values in one frame')
    return read(header, body)
  } catch (error) {
    // The decoder recurses: a RangeError here is a deep frame, not our fault.
    return { kind: 'undecodable', error: errorMessage(error), ...seqOf(body) }
  }
}

function read(header: Body, body: Body): Frame {
  if (header.op === -1) {
    return { kind: 'error', error: text(body.error, 'error'), message: shortText(body.message) }
  }
  if (header.op !== 1) throw new TypeError('the header has no op that is known')
  const t = text(header.t, 't')
  switch (t) {
    case '#commit':
      return readCommit(body)
    case '#identity':
      return { kind: 'identity', ...sequenced(body, body.did) }
    case '#account':
      return {
        kind: 'account',
        ...sequenced(body, body.did),
        active: body.active === true,
        ...(typeof body.status === 'string' ? { status: body.status } : {}),
      }
    case '#sync':
      return { kind: 'sync', ...sequenced(body, body.did), rev: tid(body.rev) }
    case '#info':
      return { kind: 'info', name: text(body.name, 'name'), message: shortText(body.message) }
    default:
      return { kind: 'unknown', t: t.slice(0, 100), ...seqOf(body), timeMs: timeOf(body) }
  }
}

function readCommit(body: Body): CommitFrame {
  const tooBig = body.tooBig === true
  const { ops, faults } = commitOps(body.ops, body.blocks)
  if (tooBig) faults.push('the host left the records out (tooBig)')
  return {
    kind: 'commit',
    ...sequenced(body, body.repo),
    rev: tid(body.rev),
    ops,
    faults,
    ...(tooBig ? { tooBig } : {}),
  }
}

function sequenced(body: Body, did: unknown): Sequenced {
  const { seq } = seqOf(body)
  if (seq === undefined) throw new TypeError('the frame has no seq')
  if (typeof did !== 'string' || !isValidDid(did)) throw new TypeError('the frame has no valid DID')
  return { seq, did, timeMs: timeOf(body) }
}

function seqOf(body: Body | undefined): { seq?: number } {
  const seq = body?.seq
  return typeof seq === 'number' && Number.isSafeInteger(seq) && seq > 0 ? { seq } : {}
}

function timeOf(body: Body): number | null {
  const ms = typeof body.time === 'string' ? Date.parse(body.time) : Number.NaN
  return Number.isNaN(ms) ? null : ms
}

function asMap(value: unknown, name: string): Body {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Body
  throw new TypeError(`the ${name} is not a map`)
}

function text(value: unknown, name: string): string {
  if (typeof value === 'string') return value
  throw new TypeError(`${name} is not a text`)
}

function shortText(value: unknown): string {
  return typeof value === 'string' ? value.slice(0, 500) : ''
}

function tid(value: unknown): string {
  if (typeof value === 'string' && isValidTid(value)) return value
  throw new TypeError('rev is not a TID')
}
