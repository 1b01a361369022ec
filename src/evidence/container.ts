// What is inside an age file of evidence (docs/evidence.md): a line that says what it is, a line of facts as JSON, and
// the blob's bytes to the end. Two lines and a rest: `head` and `tail` take it apart without us, in any year.
import { createHash } from 'node:crypto'
import type { BlobCid, Did, Hex, MediaKind } from '../domain/blob.ts'
import { blobDigest } from '../domain/cid.ts'
import { PermanentError } from '../domain/errors.ts'
import { evidenceLimits } from './limits.ts'

export const containerMagic = 'blobwatch-evidence/1'

export type EvidenceFacts = {
  evidence: number
  /** Absent when the case was opened together with the evidence: then the ledger entry `evidence.kept` names it. */
  case?: number
  cid: BlobCid
  sha256: Hex
  media: MediaKind | 'unknown'
  bytes: number
  did: Did
  /** As the account's DID document claimed it then. */
  handle?: string
  /** Origin of the account's host then. */
  pds?: string
  record?: {
    uri: string
    /** The version that was seen. */
    cid?: string
    /** The record's text as its host served it when the bytes were kept, and the version that this was. */
    served?: { cid?: string; json: string }
    /** Why there is no text. */
    missing?: string
  }
  seenAt: string
  source: string
  keptAt: string
  /** The bank whose match weighed most, by number. */
  bank: string
  keptBy: string
}

export function packEvidence(facts: EvidenceFacts, bytes: Uint8Array): Uint8Array {
  const header = Buffer.from(`${containerMagic}\n${JSON.stringify(facts)}\n`, 'utf8')
  if (header.length > evidenceLimits.headerBytesMax)
    throw new PermanentError(`the facts have ${header.length} bytes`)
  return Buffer.concat([header, bytes])
}

/** Throws PermanentError with a sentence when it is no container, is cut short, or holds other bytes than it says. */
export function unpackEvidence(container: Uint8Array): { facts: EvidenceFacts; bytes: Uint8Array } {
  const all = Buffer.from(container.buffer, container.byteOffset, container.byteLength)
  const first = lineEnd(all, 0)
  const magic = all.subarray(0, first).toString('utf8')
  if (magic !== containerMagic) throw new PermanentError(strangeMagic(magic))
  const second = lineEnd(all, first + 1)
  const facts = parseFacts(all.subarray(first + 1, second).toString('utf8'))
  const bytes = all.subarray(second + 1)
  if (bytes.length !== facts.bytes)
    throw new PermanentError(`the evidence is cut short: ${bytes.length} bytes of ${facts.bytes}`)
  const digest = createHash('sha256').update(bytes).digest('hex')
  if (digest !== facts.sha256 || digest !== blobDigest(facts.cid))
    throw new PermanentError('the bytes are not those that the facts name')
  return { facts, bytes }
}

function lineEnd(all: Buffer, from: number): number {
  const end = all.subarray(from, from + evidenceLimits.headerBytesMax).indexOf(0x0a)
  if (end < 0) throw new PermanentError('this is no evidence: it has no line of facts')
  return from + end
}

function strangeMagic(magic: string): string {
  return /^blobwatch-evidence\/\d{1,4}$/.test(magic)
    ? `this evidence has the format ${magic}, and this version reads ${containerMagic}`
    : 'this is no evidence of Blobwatch'
}

function parseFacts(line: string): EvidenceFacts {
  let value: unknown
  try {
    value = JSON.parse(line)
  } catch (cause) {
    throw new PermanentError('the facts of the evidence cannot be read', { cause })
  }
  const facts = value as Partial<EvidenceFacts> | null
  const isWhole =
    typeof facts === 'object' &&
    facts !== null &&
    Number.isSafeInteger(facts.evidence) &&
    Number.isSafeInteger(facts.bytes) &&
    [facts.cid, facts.sha256, facts.did, facts.keptAt].every((one) => typeof one === 'string')
  if (!isWhole) throw new PermanentError('the facts of the evidence are incomplete')
  return facts as EvidenceFacts
}
