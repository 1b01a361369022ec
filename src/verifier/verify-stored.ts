// Verifies entries as a store has them: everything is computed anew, and nothing believed that stands beside an entry.
//
// Promises: the checks are those of a bundle (check-entries.ts). The tree and its signed heads belong to the store:
// whoever has them gives them to `heads`.
import type { Hex } from '../domain/blob.ts'
import { fromHex, sameBytes, toHex } from '../ledger/bytes.ts'
import type { OpenValue, StoredEntry } from '../ledger/read-ledger.ts'
import { createTileBuilder } from '../ledger/tree/tile-builder.ts'
import type { BuiltTile } from '../ledger/tree/tile-builder.ts'
import { createEntryChecks } from './check-entries.ts'
import { admittedLosses, lossSentence } from './eras.ts'
import type { Era } from './eras.ts'
import { createFindings } from './findings.ts'
import type { Findings } from './findings.ts'
import { createOpenedChecks } from './check-opened.ts'

export type LedgerReport = {
  entries: number
  head: Hex
  /** Of the tree over the entries; of no meaning for a tail. */
  root: Hex
  /** Empty when the ledger holds. `seq` is where it was noticed; null for the log as a whole. */
  faults: { seq: number | null; problem: string }[]
  /** What a signed head could not show; a loss that was admitted. */
  gaps: { seq: number | null; problem: string }[]
  /** Intents that have no result yet: visible, not a fault (promise 3). */
  openIntents: number
  /** `erased`: entries that lack a value. */
  commitments: { opened: number; erased: number }
}

export type StoredVerifier = {
  /** Entries in order, any number at a time. `openValue` gives what is behind a commitment, if it is still kept. */
  add(entries: readonly StoredEntry[], openValue?: OpenValue): void
  findings: Findings
  eras(): readonly Era[]
  root(): Uint8Array
  /** Tiles completed since the last call, as they must be. */
  takeTiles(): BuiltTile[]
  /** No entry comes after these: what is not full is a tile too. */
  endTree(): void
  needsSecondLook(): boolean
  lookAgain(entries: readonly StoredEntry[]): void
  end(head: { size: number; hash: Hex } | undefined): LedgerReport
}

/**
 * `log`: what the newest entries must name; what they name themselves when absent. `from`: checks a tail only, which
 * starts at this entry and follows the one with this hash. `entries`: how many there are; then keys of facts are kept in
 * four bytes each and some are looked for again, else in full. `pairs`: a value that is missing without an erasure's
 * entry is a fault.
 */
export function createVerifier(
  options: {
    log?: string | undefined
    from?: { seq: number; prev: Hex } | undefined
    entries?: number
    seed?: number
    pairs?: boolean
  } = {},
): StoredVerifier {
  const findings = createFindings()
  const { from } = options
  const checks = createEntryChecks({
    findings,
    entries: options.entries ?? 0,
    seed: options.seed ?? 0,
    exact: options.entries === undefined,
    from: from && { seq: from.seq, prev: fromHex(from.prev) ?? new Uint8Array(32) },
  })
  const opened = createOpenedChecks(findings, options.pairs === true ? 'all' : 'some')
  const tree = createTileBuilder()
  let next = from?.seq ?? 0
  let last = from?.prev ?? toHex(new Uint8Array(32))

  const add = (entry: StoredEntry, openValue: OpenValue | undefined) => {
    if (entry.seq !== next)
      findings.tampered(
        next,
        `entry ${next} is missing or out of order: entry ${entry.seq} stands there`,
      )
    const hash = checks.add(entry.bytes)
    if (!sameBytes(hash, entry.hash))
      findings.tampered(next, 'the stored hash is not the hash of the bytes')
    tree.push(hash)
    const places = checks.places()
    if (places !== undefined && openValue !== undefined)
      opened.add(next, entry.bytes, places, (field) => openValue(entry.seq, field))
    last = toHex(hash)
    next += 1
  }
  return {
    add: (entries, openValue) => entries.forEach((entry) => add(entry, openValue)),
    findings,
    eras: () => checks.eras(),
    root: () => tree.root(),
    takeTiles: () => tree.takeTiles(),
    endTree: () => tree.end(),
    needsSecondLook: () => checks.needsSecondLook(),
    lookAgain: (entries) => entries.forEach(({ bytes, seq }) => checks.lookAgain(bytes, seq)),
    end(head) {
      if (head !== undefined && head.size !== next)
        findings.tampered('head', `the head says ${head.size} entries, there are ${next}`)
      if (head !== undefined && head.hash !== last)
        findings.tampered('head', 'the head is not the hash of the last entry')
      const name = checks.eras().at(-1)?.log
      if (options.log !== undefined && name !== undefined && name !== options.log)
        findings.tampered('head', `the entries belong to another log, ${name}`)
      for (const loss of admittedLosses(checks.eras()))
        findings.incomplete(loss.at, lossSentence(loss))
      const { opened: good, erased, unopened } = opened.end(checks.erasures(), 'whole')
      const of = (kind: 'tampered' | 'incomplete') =>
        findings
          .list()
          .filter((finding) => finding.kind === kind)
          .map(({ seq, where, problem }) => ({
            seq: seq ?? null,
            problem: seq === undefined ? `${where}: ${problem}` : problem,
          }))
      return {
        entries: next,
        head: last,
        root: toHex(tree.root()),
        faults: of('tampered'),
        gaps: of('incomplete'),
        openIntents: checks.end().openIntents,
        commitments: { opened: good, erased: options.pairs === true ? erased : unopened },
      }
    },
  }
}
