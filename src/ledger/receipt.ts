// A receipt: what was done to somebody's picture or record, provable offline with the log's key alone.
//
// Two entries of the ledger, the intent and the result of one action, with their inclusion proofs in one signed
// checkpoint, and what opens the commitments that name the account and the thing. The sentences are for people and prove
// nothing: whoever checks reads the entries. Pure; docs/ledger.md has the format.
import { fromBase64, fromHex, toBase64, toHex, utf8 } from './bytes.ts'
import { commitmentOf, saltBytes } from './commitment.ts'
import { openCheckpoint, signedByLog } from './note/checkpoint.ts'
import type { SignedCheckpoint } from './note/checkpoint.ts'
import type { VerifierKey } from './note/key.ts'
import { hashBytes } from './platform.ts'
import { leafHashOf } from './tree/hash.ts'
import { verifyInclusion } from './tree/verify-proof.ts'

export const receiptFormat = 'blobwatch-receipt/1'
export const receiptBytesMax = 4096

export type OpenedField = { salt: Uint8Array; value: string }
export type ReceiptEntry = { text: string; index: number; proof: Uint8Array[] }
export type Receipt = {
  /** For people, a sentence a line. */
  text: string[]
  intent: ReceiptEntry
  result: ReceiptEntry
  /** Fields of the intent. */
  opened: Record<string, OpenedField>
  /** The signed checkpoint that covers both. */
  note: string
}

/** JSON; each hash of the two proofs stands once. */
export function formatReceipt(receipt: Receipt): string {
  const hashes: string[] = []
  const pathOf = (proof: readonly Uint8Array[]) =>
    proof.map((hash) => {
      const text = toBase64(hash)
      if (!hashes.includes(text)) hashes.push(text)
      return hashes.indexOf(text)
    })
  const { intent, result } = receipt
  return JSON.stringify({
    format: receiptFormat,
    text: receipt.text,
    intent: { entry: intent.text, index: intent.index, path: pathOf(intent.proof) },
    result: { entry: result.text, index: result.index, path: pathOf(result.proof) },
    opened: Object.fromEntries(
      Object.entries(receipt.opened).map(([field, { salt, value }]) => [
        field,
        [toHex(salt), value],
      ]),
    ),
    hashes,
    checkpoint: receipt.note,
  })
}

/** What a receipt proves, read from its entries alone. Times are those of the ledger. */
export type ReceiptFacts = {
  log: string
  size: number
  kind: string
  /** false: an earlier action was taken back. */
  applied: boolean
  /** Of the banks that caused it: `open` or `restricted`. */
  class: string
  byPerson: boolean
  intendedAt: string
  doneAt: string
  outcome: string
  account: string
  opened: Record<string, string>
}

export type CheckedReceipt =
  | { kind: 'holds'; facts: ReceiptFacts; signed: SignedCheckpoint }
  | { kind: 'unreadable' | 'false' | 'unsigned'; problem: string }

/** The facts, or in words what does not hold. `keysFor`: the keys to trust for the log of this note. */
export function checkReceipt(
  source: string,
  keysFor: (note: string) => readonly VerifierKey[],
): CheckedReceipt {
  const parsed = parseReceipt(source)
  if (typeof parsed === 'string') return { kind: 'unreadable', problem: parsed }
  const signed = openCheckpoint(parsed.note, keysFor(parsed.note))
  if (typeof signed === 'string') return { kind: 'unreadable', problem: signed }
  const { checkpoint, verdict } = signed
  if (verdict.kind === 'wrong')
    return {
      kind: 'false',
      problem: `the signature of ${verdict.name} is not over this checkpoint`,
    }
  if (!signedByLog(signed))
    return { kind: 'unsigned', problem: 'the checkpoint is not signed by a log key that you gave' }
  for (const name of ['intent', 'result'] as const) {
    const { index, proof, text } = parsed[name]
    const { size, root } = checkpoint
    const leafHash = leafHashOf(utf8(text))
    if (!verifyInclusion({ index, size, root, leafHash, proof }))
      return { kind: 'false', problem: `the ${name} is not entry ${index} of that ledger` }
  }
  const facts = readFacts(parsed, checkpoint)
  return typeof facts === 'string'
    ? { kind: 'false', problem: facts }
    : { kind: 'holds', facts, signed }
}

type Document = {
  log?: unknown
  seq?: unknown
  t?: unknown
  type?: unknown
  pub?: Record<string, unknown>
  com?: Record<string, unknown>
}

function readFacts(
  { intent, result, opened }: Receipt,
  checkpoint: { origin: string; size: number },
): ReceiptFacts | string {
  const [first, last] = [intent, result].map(({ text }) => JSON.parse(text) as Document)
  if (first?.type !== 'action.intent' || last?.type !== 'action.result')
    return 'the entries are not the intent and the result of an action'
  if (first.pub?.['action'] !== last.pub?.['action']) return 'intent and result are of two actions'
  if (first.seq !== intent.index || last.seq !== result.index)
    return 'an entry stands in another place than it says'
  for (const [field, { salt, value }] of Object.entries(opened)) {
    if (first.com?.[field] !== toHex(commitmentOf({ field, salt, value })))
      return `the ${field} is not the one that the entry commits to`
  }
  if (opened['account'] === undefined) return 'the receipt does not open whose account it was'
  return {
    log: checkpoint.origin,
    size: checkpoint.size,
    kind: wordOf(first.pub?.['kind']),
    applied: first.pub?.['applied'] === true,
    class: wordOf(first.pub?.['class']),
    byPerson: first.pub?.['byPerson'] === true,
    intendedAt: wordOf(first.t),
    doneAt: wordOf(last.t),
    outcome: wordOf(last.pub?.['outcome']),
    account: opened['account'].value,
    opened: Object.fromEntries(Object.entries(opened).map(([field, { value }]) => [field, value])),
  }
}

function wordOf(value: unknown): string {
  return typeof value === 'string' ? value : 'not said'
}

function parseReceipt(source: string): Receipt | string {
  let document: Record<string, unknown>
  try {
    document = JSON.parse(source) as Record<string, unknown>
  } catch {
    return 'this is not a receipt: it is not JSON'
  }
  const { format, hashes, checkpoint, opened, text } = document ?? {}
  if (format !== receiptFormat)
    return typeof format === 'string' && format.startsWith('blobwatch-receipt/')
      ? `this receipt has the format ${format}; this verifier knows ${receiptFormat}: get a newer one`
      : 'this is not a receipt'
  const known = Array.isArray(hashes) ? hashes.map(parseHash) : []
  const [intent, result] = [document['intent'], document['result']].map((entry) =>
    parseEntry(entry, known),
  )
  const fields = parseOpened(opened)
  if (
    intent === undefined ||
    result === undefined ||
    fields === undefined ||
    typeof checkpoint !== 'string'
  )
    return 'a part of the receipt is missing or damaged'
  const lines = Array.isArray(text) ? text.filter((line) => typeof line === 'string') : []
  return { text: lines, intent, result, opened: fields, note: checkpoint }
}

function parseHash(text: unknown): Uint8Array | undefined {
  const bytes = typeof text === 'string' ? fromBase64(text) : undefined
  return bytes?.length === hashBytes ? bytes : undefined
}

function parseEntry(
  value: unknown,
  hashes: readonly (Uint8Array | undefined)[],
): ReceiptEntry | undefined {
  const { entry, index, path } = (value ?? {}) as Record<string, unknown>
  if (typeof entry !== 'string' || !Number.isSafeInteger(index) || !Array.isArray(path))
    return undefined
  const proof = path.map((at) => (typeof at === 'number' ? hashes[at] : undefined))
  if (proof.some((hash) => hash === undefined)) return undefined
  try {
    JSON.parse(entry)
  } catch {
    return undefined
  }
  return { text: entry, index: index as number, proof: proof as Uint8Array[] }
}

function parseOpened(value: unknown): Record<string, OpenedField> | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const fields: Record<string, OpenedField> = {}
  for (const [field, pair] of Object.entries(value)) {
    const [saltHex, text] = Array.isArray(pair) ? (pair as unknown[]) : []
    const salt = typeof saltHex === 'string' ? fromHex(saltHex) : undefined
    if (salt?.length !== saltBytes || typeof text !== 'string') return undefined
    fields[field] = { salt, value: text }
  }
  return fields
}
