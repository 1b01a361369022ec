// Which keys a verification believes, from a policy file or from keys given one by one.
import { parseVerifierKey } from '../ledger/note/key.ts'
import type { VerifierKey } from '../ledger/note/key.ts'
import { parsePolicy } from '../ledger/note/policy.ts'

export type Trust = {
  keys: VerifierKey[]
  isQuorum(cosigners: ReadonlySet<VerifierKey>): boolean
  /** In words; `none` when no witness is asked for. */
  quorum: string
}

/** The trust, or in words what keeps the texts from giving one. */
export function makeTrust(given: {
  policy?: string | undefined
  keys: readonly string[]
}): Trust | string {
  const keys: VerifierKey[] = []
  for (const text of given.keys) {
    const key = parseVerifierKey(text)
    if (typeof key === 'string') return `the key ${shorten(text)} cannot be used: ${key}`
    keys.push(key)
  }
  if (given.policy === undefined) {
    if (!keys.some((key) => key.type === 'log'))
      return 'give the key of the log, or a policy: without one nothing can be believed'
    return { keys, isQuorum: () => true, quorum: 'none' }
  }
  const policy = parsePolicy(given.policy)
  if ('problems' in policy) return `the policy cannot be used: ${policy.problems.join('; ')}`
  for (const { key } of [...policy.logs, ...policy.witnesses]) keys.push(key)
  if (!keys.some((key) => key.type === 'log')) return 'the policy names no log: it needs a log line'
  return { keys, isQuorum: (cosigners) => policy.isQuorum(cosigners), quorum: policy.quorum }
}

/**
 * The time, in whole seconds, from which on the cosigners meet the quorum: the largest T such that those who say T or
 * later are enough. One witness with a wrong clock does not move it where others are needed too.
 */
export function quorumTime(
  trust: Trust,
  by: readonly { key: VerifierKey; atSeconds?: number }[],
): number | undefined {
  const enough = new Set<VerifierKey>()
  const times = by
    .filter((one): one is { key: VerifierKey; atSeconds: number } => one.atSeconds !== undefined)
    .toSorted((a, b) => b.atSeconds - a.atSeconds)
  for (const { key, atSeconds } of times) {
    enough.add(key)
    if (trust.isQuorum(enough)) return atSeconds
  }
  return undefined
}

function shorten(text: string): string {
  const trimmed = text.trim()
  return trimmed.length > 60 ? `${trimmed.slice(0, 57)}…` : trimmed
}
