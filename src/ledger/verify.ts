// Reads the whole ledger again and computes everything anew: bytes, links, order, time, commitments, idempotency,
// intents and results. Trusts nothing that is stored beside an entry.
import canonicalize from 'canonicalize'
import type { Hex } from '../domain/blob.ts'
import { commitment, leafHash, noHash, profileProblem } from './entry.ts'

export type StoredEntry = { seq: number; bytes: Buffer; hash: Buffer }

export type LedgerReport = {
  entries: number
  head: Hex
  /** Empty when the chain holds. `seq` is where it was noticed; null for the log as a whole. */
  faults: { seq: number | null; problem: string }[]
  /** Intents that have no result yet: visible, not a fault (promise 3). */
  openIntents: number
  commitments: { opened: number; erased: number }
}

export type OpenValue = (
  seq: number,
  field: string,
) => { salt: Uint8Array; value: string } | undefined

const faultsMax = 100

export type Verifier = {
  /** Entries in order, any number at a time. `openValue` gives what is behind a commitment, if it is still kept. */
  add(entries: readonly StoredEntry[], openValue?: OpenValue): void
  end(head: { size: number; hash: Hex } | undefined): LedgerReport
}

/**
 * `log`: what every entry must name; the first entry's when absent. `from`: checks a tail only, which starts at this
 * entry and follows the one with this hash.
 */
export function createVerifier(log?: string, from?: { seq: number; prev: Hex }): Verifier {
  const faults: LedgerReport['faults'] = []
  const seenIdem = new Set<string>()
  const openIntents = new Set<number>()
  const commitments = { opened: 0, erased: 0 }
  let next = from?.seq ?? 0
  let prev: Hex = from?.prev ?? noHash
  let time = ''
  let name = log

  const fault = (seq: number | null, problem: string) => {
    if (faults.length < faultsMax) faults.push({ seq, problem })
  }

  const check = (entry: StoredEntry, openValue: OpenValue | undefined) => {
    const { seq } = entry
    if (seq !== next) fault(next, `entry ${next} is missing or out of order`)
    next = seq + 1
    const hash = leafHash(entry.bytes)
    if (hash !== entry.hash.toString('hex'))
      fault(seq, 'the stored hash is not the hash of the bytes')
    const document = parseEntry(entry.bytes)
    if (typeof document === 'string') {
      fault(seq, document)
    } else {
      name ??= document.log
      if (document.seq !== seq) fault(seq, `the entry says that it is entry ${document.seq}`)
      if (document.prev !== prev) fault(seq, 'the link to the entry before does not hold')
      if (document.log !== name) fault(seq, 'the entry belongs to another log')
      if (document.t < time) fault(seq, 'time runs backwards')
      if (seenIdem.has(document.idem)) fault(seq, 'the same fact is recorded twice')
      seenIdem.add(document.idem)
      time = document.t
      countAction(document, openIntents)
      for (const [field, committed] of Object.entries(document.com)) {
        const opened = openValue?.(seq, field)
        if (opened === undefined) commitments.erased += 1
        else if (commitment(field, opened.salt, opened.value) === committed) commitments.opened += 1
        else fault(seq, `the kept value of "${field}" is not the one committed to`)
      }
    }
    prev = hash
  }

  return {
    add: (entries, openValue) => entries.forEach((entry) => check(entry, openValue)),
    end(head) {
      if (head !== undefined && head.size !== next) {
        fault(null, `the head says ${head.size} entries, there are ${next}`)
      }
      if (head !== undefined && head.hash !== prev)
        fault(null, 'the head is not the hash of the last entry')
      return { entries: next, head: prev, faults, openIntents: openIntents.size, commitments }
    },
  }
}

type EntryDocument = {
  log: string
  seq: number
  t: string
  prev: Hex
  type: string
  idem: string
  pub: Record<string, unknown>
  com: Record<string, Hex>
}

/** The document, or what is wrong with the bytes. */
function parseEntry(bytes: Buffer): EntryDocument | string {
  let document: unknown
  try {
    document = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch {
    return 'the bytes are not a JSON document'
  }
  if (profileProblem(document) !== undefined || canonicalize(document) !== bytes.toString('utf8')) {
    return 'the bytes are not in canonical form'
  }
  const entry = document as EntryDocument & { v: unknown }
  const fieldsHold =
    entry.v === 1 &&
    Number.isSafeInteger(entry.seq) &&
    [entry.log, entry.t, entry.prev, entry.type, entry.idem].every(
      (field) => typeof field === 'string',
    ) &&
    typeof entry.pub === 'object' &&
    typeof entry.com === 'object'
  return fieldsHold ? entry : 'the entry lacks a field or has one of another kind'
}

function countAction(document: EntryDocument, openIntents: Set<number>): void {
  const action = document.pub['action']
  if (typeof action !== 'number') return
  if (document.type === 'action.intent') openIntents.add(action)
  if (document.type === 'action.result') openIntents.delete(action)
}
