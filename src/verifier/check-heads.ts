// The checks of signed heads: checkpoints, pinned ones, and what others hold of them.
import { fromBase64, sameBytes, textOf, toHex, utf8, toBase64 } from '../ledger/bytes.ts'
import { openCheckpoint, parseCheckpoint, signedByLog } from '../ledger/note/checkpoint.ts'
import type { SignedCheckpoint } from '../ledger/note/checkpoint.ts'
import { parseNote } from '../ledger/note/note.ts'
import { sha256 } from '../ledger/platform.ts'
import { judgeHead } from './eras.ts'
import type { Era, Head } from './eras.ts'
import type { Findings } from './findings.ts'
import { parseTimeStamp } from './time-stamp.ts'
import { keysFor, originOf, quorumTime } from './trust.ts'
import type { Trust } from './trust.ts'

export type Anchor = { kind: string; who: string; body: Uint8Array } & Omit<Head, 'root'>
/** `digest`: what `openssl ts -verify` is given, in hex. */
export type CheckedStamp = {
  size: number
  who: string
  says: string
  digest: string
  isToken: boolean
  line: number
}

export type HeadChecks = {
  /** Gives the checkpoint if it is one. */
  checkpoint(where: string, note: string, root: RootAt): SignedCheckpoint | undefined
  pin(where: string, head: Head, root: RootAt): void
  /** `notes`: the checkpoints of the anchor's size. */
  anchor(where: { line: number }, anchor: Anchor, notes: readonly string[], root: RootAt): void
  end(): {
    checkpoints: number
    /** Of a log whose loss was admitted. */
    lost: number
    records: number
    stamps: CheckedStamp[]
    /** The newest checkpoint that meets the quorum, and since when; undefined without a quorum of witnesses. */
    anchored: Anchored | undefined
  }
}

/** The root that was computed; `short`: the log has fewer entries; `unread`: not all of it could be read. */
export type RootAt = (size: number) => Uint8Array | 'short' | 'unread'

/** `atSeconds`: since when the quorum is met, if it is. */
type Judged = {
  where: string
  head: Head
  root: ReturnType<RootAt>
  atSeconds?: number | undefined
}

const deferredMax = 1000
const stampsMax = 1000

export function createHeadChecks(options: {
  findings: Findings
  /** undefined: no key is known, and roots alone are compared. */
  trust: Trust | undefined
  eras: () => readonly Era[]
}): HeadChecks {
  const { findings, trust } = options
  /** A log may be named before the entry that begins it was read. */
  const deferred: Judged[] = []
  const stamps: CheckedStamp[] = []
  let [checkpoints, lost, records] = [0, 0, 0]
  let anchored: Anchored | undefined

  const judge = (judged: Judged, isLast = false): void => {
    const { where, head, root, atSeconds } = judged
    if (root === 'unread')
      return findings.incomplete(where, 'it cannot be compared: entries are missing')
    const verdict = judgeHead(options.eras(), head, root === 'short' ? undefined : root)
    if (verdict.kind === 'wrong') findings.tampered(where, verdict.problem)
    else if (verdict.kind === 'lost') lost += 1
    else if (verdict.kind === 'unknown-log') {
      if (!isLast && deferred.length < deferredMax) deferred.push(judged)
      else findings.tampered(where, `it is a checkpoint of another log, ${head.origin}`)
    } else if (atSeconds !== undefined && isNewer({ size: head.size, atSeconds }, anchored))
      anchored = { size: head.size, atSeconds }
    return undefined
  }

  return {
    checkpoint(where, note, root) {
      const opened = openCheckpoint(note, trust === undefined ? [] : keysFor(trust, originOf(note)))
      if (typeof opened === 'string') {
        findings.tampered(where, opened)
        return undefined
      }
      const { checkpoint: head, verdict } = opened
      checkpoints += 1
      const isSigned = signedByLog(opened)
      const atSeconds =
        trust !== undefined && trust.quorum !== 'none' && isSigned && verdict.kind === 'verified'
          ? quorumTime(trust, verdict.by)
          : undefined
      judge({ where, head, root: root(head.size), atSeconds })
      if (verdict.kind === 'wrong')
        findings.tampered(where, `the signature of ${verdict.name} is wrong`)
      else if (!isSigned && trust !== undefined)
        findings.incomplete(where, `none of the keys given for ${head.origin} signed it`)
      return opened
    },
    pin: (where, head, root) => judge({ where, head, root: root(head.size) }),
    anchor({ line }, anchor, notes, root) {
      const where = `anchors.jsonl line ${line}`
      if (anchor.kind === 'timestamp') {
        const stamp = checkStamp(findings, where, { anchor, notes, line })
        if (stamp !== undefined && stamps.length < stampsMax) stamps.push(stamp)
      }
      if (anchor.kind !== 'record') return
      records += 1
      const head = parseRecord(anchor.body)
      if (head === undefined) findings.tampered(where, 'the record names no head')
      else if (head.origin !== anchor.origin || head.size !== anchor.size)
        findings.tampered(where, 'the record names another log or size than its line')
      else judge({ where, head, root: root(head.size) })
    },
    end() {
      for (const judged of deferred.splice(0)) judge(judged, true)
      return { checkpoints, lost, records, stamps, anchored }
    },
  }
}

function checkStamp(
  findings: Findings,
  where: string,
  given: { anchor: Anchor; notes: readonly string[]; line: number },
): CheckedStamp | undefined {
  const { anchor, notes, line } = given
  const stamp = parseTimeStamp(anchor.body)
  const note = notes.find((one) => parseOrigin(one) === anchor.origin)
  if (stamp === undefined) findings.tampered(where, 'this is not an RFC 3161 time stamp')
  else if (note === undefined)
    findings.incomplete(where, 'the checkpoint that it stamps is not in the bundle')
  else if (!noteForms(note).some((form) => sameBytes(sha256(utf8(form)), stamp.imprint)))
    findings.tampered(where, 'it stamps something else than its checkpoint')
  else
    return {
      ...{ size: anchor.size, who: anchor.who, says: stamp.genTime, line },
      digest: toHex(stamp.imprint),
      isToken: !stamp.isResponse,
    }
  return undefined
}

type Anchored = { size: number; atSeconds: number }

function isNewer(one: Anchored, than: Anchored | undefined): boolean {
  if (than === undefined || one.size !== than.size) return one.size > (than?.size ?? -1)
  return one.atSeconds > than.atSeconds
}

/** Cosignatures come in one by one: a note as it stood with its first signature, its first two, and so on. */
function noteForms(note: string): string[] {
  const split = note.lastIndexOf('\n\n') + 2
  const lines = note.slice(split, -1).split('\n')
  return lines.map((_, i) => `${note.slice(0, split)}${lines.slice(0, i + 1).join('\n')}\n`)
}

function parseOrigin(note: string): string | undefined {
  const text = parseNote(note)?.text
  return text === undefined ? undefined : parseCheckpoint(text)?.origin
}

/** A record of a repository: `note`, the signed checkpoint, or `origin`, `size` and `root` (base64); what is there of both agrees. */
function parseRecord(body: Uint8Array): Head | undefined {
  let record: unknown
  try {
    record = JSON.parse(textOf(body) ?? '')
  } catch {
    return undefined
  }
  const { note, origin, size, root } = (record ?? {}) as Record<string, unknown>
  if (note === undefined) return headOf(origin, size, root)
  const text = typeof note === 'string' ? parseNote(note)?.text : undefined
  const noted = text === undefined ? undefined : parseCheckpoint(text)
  if (noted === undefined) return undefined
  const named = headOf(origin ?? noted.origin, size ?? noted.size, root ?? toBase64(noted.root))
  const isSame =
    named !== undefined &&
    named.origin === noted.origin &&
    named.size === noted.size &&
    sameBytes(named.root, noted.root)
  return isSame ? noted : undefined
}

function headOf(origin: unknown, size: unknown, root: unknown): Head | undefined {
  const bytes = typeof root === 'string' ? fromBase64(root) : undefined
  if (typeof origin !== 'string' || !Number.isSafeInteger(size) || bytes?.length !== 32)
    return undefined
  return { origin, size: size as number, root: bytes }
}
