// One entry's proof (C2SP tlog-proof), with the entry beside it.
import { textOf, toHex } from '../ledger/bytes.ts'
import { openCheckpoint, signedByLog } from '../ledger/note/checkpoint.ts'
import { parseTlogProof } from '../ledger/note/tlog-proof.ts'
import { leafHashOf } from '../ledger/tree/hash.ts'
import { verifyInclusion } from '../ledger/tree/verify-proof.ts'
import { createEntryChecks } from './check-entries.ts'
import { createFindings } from './findings.ts'
import type { Finding } from './findings.ts'
import { keysFor, originOf, quorumTime } from './trust.ts'
import type { Trust } from './trust.ts'
import type { Verdict } from './verify-bundle.ts'

export type ProofReport = {
  verdict: Verdict
  findings: Finding[]
  index: number
  log: string
  size: number
  leafHash: string
  /** When the quorum of witnesses had seen it, if one is asked for. */
  anchoredAt: string | undefined
}

/** The report, or in words why there can be none. */
export function verifyProofFile(input: {
  proof: Uint8Array
  entry: Uint8Array
  trust: Trust
}): ProofReport | { usage: string } {
  const { trust, entry } = input
  const proof = parseTlogProof(textOf(input.proof) ?? '')
  if (typeof proof === 'string') return { usage: `this is no proof: ${proof}` }
  const { note } = proof
  const signed = openCheckpoint(note, keysFor(trust, originOf(note)))
  if (typeof signed === 'string') return { usage: `this is no proof: ${signed}` }
  const findings = createFindings()
  const { checkpoint, verdict } = signed
  if (verdict.kind === 'wrong')
    findings.tampered('checkpoint', `the signature of ${verdict.name} is wrong`)
  else if (!signedByLog(signed))
    findings.incomplete('checkpoint', `none of the keys given for ${checkpoint.origin} signed it`)
  const atSeconds = verdict.kind === 'verified' ? quorumTime(trust, verdict.by) : undefined
  if (trust.quorum !== 'none' && atSeconds === undefined)
    findings.incomplete('checkpoint', `it does not meet the quorum (${trust.quorum})`)
  const leafHash = leafHashOf(entry)
  const { index } = proof
  const { size, root } = checkpoint
  if (!verifyInclusion({ index, size, root, leafHash, proof: proof.proof }))
    findings.tampered('proof', `it does not show that this is entry ${index} of the ${size}`)
  checkEntry(entry, index).forEach(({ problem }) => findings.tampered(index, problem))
  return {
    verdict:
      findings.count('tampered') > 0
        ? 'tampered'
        : findings.count('incomplete') > 0
          ? 'incomplete'
          : 'true',
    findings: findings.list(),
    index,
    log: checkpoint.origin,
    size,
    leafHash: toHex(leafHash),
    anchoredAt: atSeconds === undefined ? undefined : new Date(atSeconds * 1000).toISOString(),
  }
}

/** What an entry says of itself alone: its form and its number. Its link needs the entry before. */
function checkEntry(entry: Uint8Array, index: number): Finding[] {
  const findings = createFindings()
  const checks = createEntryChecks({
    findings,
    entries: 1,
    seed: 0,
    from: { seq: index, prev: new Uint8Array(0) },
  })
  checks.add(entry)
  return findings.list()
}
