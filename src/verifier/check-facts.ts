// No fact is told twice: the checks of `idem`.
import { textOf } from '../ledger/bytes.ts'
import type { Findings } from './findings.ts'
import { hexLength } from './scan-entry.ts'
import { createSeenFacts } from './seen-facts.ts'

export type FactChecks = {
  /** The key's 64 hex digits stand at `at`. */
  add(bytes: Uint8Array, at: number, seq: number): void
  needsSecondLook(): boolean
  /** Of every entry again, in order. */
  lookAgain(bytes: Uint8Array, at: number, seq: number): void
}

/** Beyond these the ledger is known to be wrong many times over. */
const alikeMax = 10_000

/** `exact`: keeps every key in full and needs no second look; some hundred bytes an entry. */
export function createFactChecks(options: {
  findings: Findings
  entries: number
  seed: number
  exact: boolean
}): FactChecks {
  const seen = createSeenFacts(options.exact ? 0 : options.entries, options.seed)
  /** Keys that count, and the first entry with each. */
  const firsts = new Map<string, number | undefined>()
  const look = (idem: string, seq: number) => {
    const first = firsts.get(idem)
    if (first === undefined) firsts.set(idem, seq)
    else options.findings.tampered(seq, `it tells a fact that entry ${first} tells already`)
  }
  return {
    add(bytes, at, seq) {
      if (options.exact) look(hexAt(bytes, at), seq)
      else if (seen.add(bytes, at) && firsts.size < alikeMax)
        firsts.set(hexAt(bytes, at), undefined)
    },
    needsSecondLook: () => !options.exact && firsts.size > 0,
    lookAgain(bytes, at, seq) {
      const idem = hexAt(bytes, at)
      if (firsts.has(idem)) look(idem, seq)
    },
  }
}

function hexAt(bytes: Uint8Array, at: number): string {
  return textOf(bytes.subarray(at, at + hexLength)) ?? ''
}
