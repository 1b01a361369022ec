// C2SP tlog-policy: which logs and witnesses are trusted, and how many witnesses a checkpoint needs.
import type { VerifierKey } from './key.ts'
import { parseVerifierKey } from './key.ts'

export const policyLimits = { bytes: 1_000_000, lines: 1_000, depth: 32 } as const

export type PolicyWitness = { name: string; key: VerifierKey; url?: string }
export type Policy = {
  logs: { key: VerifierKey; url?: string }[]
  witnesses: PolicyWitness[]
  /** Whether these cosigners are enough. */
  isQuorum(cosigners: ReadonlySet<VerifierKey>): boolean
  /** The rule in words, for people: `2 of a, b, c`, or `none`. */
  quorum: string
}

type Member = { needs: number; of: string[] } | { key: VerifierKey }

/** The policy, or every problem, each with its line. */
export function parsePolicy(text: string): Policy | { problems: string[] } {
  const state = { logs: [] as Policy['logs'], witnesses: [] as PolicyWitness[] }
  const members = new Map<string, Member>()
  const grouped = new Set<string>()
  const problems: string[] = []
  let quorum: string | undefined

  const define = (name: string | undefined, member: Member): string | undefined => {
    if (name === undefined || name === 'none') return 'this name cannot be given'
    if (members.has(name)) return `${name} is defined twice`
    members.set(name, member)
    return undefined
  }
  const readKey = (word: string | undefined, type: VerifierKey['type']): VerifierKey | string => {
    const key = parseVerifierKey(word ?? '')
    if (typeof key === 'string') return key
    if (key.type !== type) return `this is a key of a ${key.type}, not of a ${type}`
    const known = [...state.logs, ...state.witnesses].filter((one) => one.key.type === type)
    const text = key.publicKey.join()
    return known.some((one) => one.key.publicKey.join() === text) ? 'this key is given twice' : key
  }
  const readLine = (words: string[]): string | undefined => {
    const [verb, first, second, ...rest] = words
    if (verb === 'log') {
      const key = readKey(first, 'log')
      if (typeof key === 'string') return key
      state.logs.push({ key, ...(second !== undefined && { url: second }) })
      return rest.length > 0 ? 'there is more on this line than a key and an address' : undefined
    }
    if (verb === 'witness') {
      const key = readKey(second, 'witness')
      if (typeof key === 'string') return key
      const [url, ...more] = rest
      if (more.length > 0) return 'there is more on this line than a name, a key and an address'
      state.witnesses.push({ name: first ?? '', key, ...(url !== undefined && { url }) })
      return define(first, { key })
    }
    if (verb === 'group') {
      const unknown = rest.find((name) => !members.has(name))
      if (rest.length === 0) return 'a group has at least one member'
      if (unknown !== undefined) return `${unknown} is not defined above`
      const again = rest.find((name, i) => grouped.has(name) || rest.indexOf(name) !== i)
      if (again !== undefined) return `${again} is a member twice`
      const needs = second === 'all' ? rest.length : second === 'any' ? 1 : Number(second)
      if (!/^(all|any|[1-9]\d*)$/.test(second ?? '') || needs > rest.length)
        return `a group needs all, any, or a number from 1 to ${rest.length} of its members`
      for (const name of rest) grouped.add(name)
      return define(first, { needs, of: rest })
    }
    if (verb === 'quorum') {
      if (quorum !== undefined) return 'there is one quorum line'
      if (first === undefined || second !== undefined)
        return 'a quorum line names one witness or group'
      if (first !== 'none' && !members.has(first)) return `${first} is not defined above`
      quorum = first
      return undefined
    }
    return `a line begins with log, witness, group or quorum, not with ${verb}`
  }

  // oxlint-disable-next-line no-control-regex
  if (text.length > policyLimits.bytes || /[\u0000-\u0008\u000b-\u001f\u007f]/.test(text))
    return { problems: ['this is not a policy file: it is too long or has control characters'] }
  for (const [i, line] of text.split('\n').entries()) {
    const words = line.split(/[ \t]+/).filter((word) => word !== '')
    if (words.length === 0 || words[0]?.startsWith('#') === true) continue
    const problem = i >= policyLimits.lines ? 'there are too many lines' : readLine(words)
    if (problem !== undefined) problems.push(`line ${i + 1}: ${problem}`)
  }
  if (quorum === undefined) problems.push('there is no quorum line')
  if (problems.length > 0) return { problems }
  const root = quorum as string
  return {
    ...state,
    isQuorum: (cosigners) => root === 'none' || isMet(root, members, cosigners),
    quorum: root === 'none' ? 'none' : inWords(root, members),
  }
}

function isMet(
  name: string,
  members: ReadonlyMap<string, Member>,
  cosigners: ReadonlySet<VerifierKey>,
): boolean {
  const member = members.get(name)
  if (member === undefined) return false
  if ('key' in member) return cosigners.has(member.key)
  return member.of.filter((one) => isMet(one, members, cosigners)).length >= member.needs
}

function inWords(name: string, members: ReadonlyMap<string, Member>): string {
  const member = members.get(name)
  if (member === undefined || 'key' in member) return name
  const of = member.of.map((one) => {
    const words = inWords(one, members)
    return words.includes(' ') ? `(${words})` : words
  })
  return of.length === 1 ? (of[0] as string) : `${member.needs} of ${of.join(', ')}`
}
