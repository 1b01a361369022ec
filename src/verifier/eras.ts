// The names that a log had, one after the other. A new name begins where a loss was admitted (`log.recovered`).
import { fromHex, sameBytes, toHex } from '../ledger/bytes.ts'

/** What the first entry under a new name says of the log before it. `root`: 32 bytes. */
export type Recovery = {
  previousLog: string
  previousSize: number
  root: Uint8Array
  /** The entry's own number: what is kept of the log before. */
  size: number
}

export type Era = { log: string; from: number; recovery?: Recovery }

/** The recovery that an entry's `pub` tells of; undefined: it is none. */
export function parseRecovery(pub: Record<string, unknown>): Recovery | undefined {
  const { previousLog, previousSize, previousRoot, size } = pub
  const root =
    typeof previousRoot === 'string' && previousRoot.length === 64
      ? fromHex(previousRoot)
      : undefined
  const holds =
    typeof previousLog === 'string' && isCount(previousSize) && isCount(size) && root !== undefined
  return holds ? { previousLog, previousSize, root, size } : undefined
}

/** Entries `from` to `to` of that log are gone; entry `at` says so. */
export type Loss = { log: string; from: number; to: number; at: number }

export function admittedLosses(eras: readonly Era[]): Loss[] {
  return eras.flatMap(({ recovery, from }) => {
    if (recovery === undefined || recovery.previousSize <= recovery.size) return []
    const { previousLog, size, previousSize } = recovery
    return [{ log: previousLog, from: size, to: previousSize - 1, at: from }]
  })
}

export function lossSentence({ log, from, to }: Loss): string {
  return `the log admits that entries ${from} to ${to} of ${log} are lost`
}

export type Head = { origin: string; size: number; root: Uint8Array }
export type HeadVerdict =
  | { kind: 'holds' }
  /** Lost, and the log admits it. */
  | { kind: 'lost' }
  | { kind: 'unknown-log' }
  | { kind: 'wrong'; problem: string }

/** `root`: the log's own at the head's size; undefined when the log is shorter. */
export function judgeHead(
  eras: readonly Era[],
  head: Head,
  root: Uint8Array | undefined,
): HeadVerdict {
  const at = eras.findIndex((era) => era.log === head.origin)
  if (at < 0) return { kind: 'unknown-log' }
  const recovery = eras[at + 1]?.recovery
  if (recovery !== undefined && head.size > recovery.size) {
    if (head.size > recovery.previousSize) {
      const admitted = `the log admits that it lost entries up to ${recovery.previousSize - 1} only`
      return {
        kind: 'wrong',
        problem: `a checkpoint of ${head.size} entries is kept, and ${admitted}`,
      }
    }
    if (head.size === recovery.previousSize && !sameBytes(head.root, recovery.root))
      return { kind: 'wrong', problem: `the lost log of ${head.size} entries had another root` }
    return { kind: 'lost' }
  }
  if (root === undefined)
    return { kind: 'wrong', problem: `the log had ${head.size} entries and is shorter now` }
  if (sameBytes(root, head.root)) return { kind: 'holds' }
  const roots = `${toHex(head.root)}, not ${toHex(root)}`
  return { kind: 'wrong', problem: `the root over ${head.size} entries was ${roots}` }
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}
