// Which keys a verification believes, from a policy file or from keys given one by one.
import { baseLogName } from '../ledger/log-name.ts'
import { isKeyName, makeVerifierKey, parseVerifierKey } from '../ledger/note/key.ts'
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
 * The keys for a log of this name. A log that goes on after a loss, NAME/recovered-2 and so on, is signed with the key
 * of NAME under its new name: whoever trusts the one trusts the other.
 */
export function keysFor(trust: Trust, origin: string): VerifierKey[] {
  const base = baseLogName(origin)
  if (base === origin || !isKeyName(origin)) return trust.keys
  const derived = trust.keys
    .filter((key) => key.type === 'log' && key.name === base)
    .map((key) => makeVerifierKey(origin, 'log', key.publicKey))
  return [...trust.keys, ...derived]
}

/** The first line of a note: who it is of, if it is a checkpoint. */
export function originOf(note: string): string {
  return note.slice(0, Math.max(0, note.indexOf('\n')))
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
