// What people changed: banks, contents, policies, modes, keys, stops, holds, evidence. In words without names.
import type { ReportEntry } from './tally.ts'

/** `bank` as the ledger has it (`b7`); the words name nobody and no bank. */
export type Change = {
  seq: number
  at: string
  type: string
  principal: number | null
  bank: string | null
  what: string
}

export type TypeGroup = { group: string; types: { type: string; entries: number }[] }

const groups: { group: string; begins: string[] }[] = [
  { group: 'Counting and deciding', begins: ['counts', 'decision', 'action.'] },
  { group: 'People on cases', begins: ['case.', 'feedback.', 'reversal.'] },
  {
    group: 'Banks, contents and lists',
    begins: ['bank.', 'content.', 'import.', 'admission.', 'proposal', 'exchange.'],
  },
  { group: 'Stops', begins: ['actions.'] },
  { group: 'Evidence, legal holds and erasure', begins: ['evidence.', 'legal-hold.', 'account.'] },
  { group: 'Keys, principals and questions', begins: ['key.', 'principal.', 'explained'] },
  { group: 'The log and the service', begins: ['log.', 'checkpoint.', 'service.', 'signer.'] },
]

/** Told one by one: what changes what happens to people. Contents by the thousand are only counted. */
const told = [
  'bank.',
  'actions.',
  'key.',
  'principal.',
  'legal-hold.',
  'evidence.exported',
  'evidence.destroyed',
  'log.recovered',
  'reversal.',
  'import.started',
  'import.done',
  'import.dropped',
  'exchange.create',
  'exchange.set',
  'exchange.fetch',
  'exchange.held',
  'exchange.remove',
]

export function changeOf({ seq, t, type, actor, pub }: ReportEntry): Change | undefined {
  if (!told.some((begin) => type.startsWith(begin))) return undefined
  const bank = typeof pub['bank'] === 'string' ? pub['bank'] : null
  return { seq, at: t, type, principal: actor.principal ?? null, bank, what: whatOf(type, pub) }
}

/** Every type once; a type that nobody foresaw is counted under the last heading. */
export function groupTypes(types: ReadonlyMap<string, number>): TypeGroup[] {
  const groupOf = (type: string) =>
    groups.find(({ begins }) => begins.some((begin) => type.startsWith(begin)))?.group
  const names = [...groups.map(({ group }) => group), 'Other']
  return names.flatMap((group) => {
    const own = [...types]
      .filter(([type]) => (groupOf(type) ?? 'Other') === group)
      .map(([type, entries]) => ({ type, entries }))
      .toSorted((a, b) => (a.type < b.type ? -1 : 1))
    return own.length === 0 ? [] : [{ group, types: own }]
  })
}

function whatOf(type: string, pub: Record<string, unknown>): string {
  switch (type) {
    case 'bank.create':
      return `made: ${word(pub['class'])}, mode ${word(pub['mode'])}`
    case 'bank.set':
      return setOf(pub)
    case 'bank.export':
      return `values of ${word(pub['contents'])} contents left as ${word(pub['format'])}`
    case 'bank.dsa':
      return pub['defaults'] === true ? 'DSA rule: defaults' : 'DSA rule set'
    case 'actions.paused':
    case 'actions.resumed':
      return [word(pub['scope']), word(pub['target'])].filter(Boolean).join(' ')
    case 'principal.added':
      return `p${word(pub['principal'])}, a ${word(pub['kind'])}`
    case 'import.started':
      return `import ${word(pub['import'])}: ${word(pub['adds'])} to add, ${word(pub['deletes'])} to remove`
    case 'import.done':
    case 'import.dropped':
      return `import ${word(pub['import'])}, through line ${word(pub['through'])}`
    case 'reversal.started':
    case 'reversal.ended':
      return `reversal ${word(pub['reversal'])}`
    default:
      return type.startsWith('key.') && pub['owner'] !== undefined
        ? `for p${word(pub['owner'])}`
        : ''
  }
}

function setOf(pub: Record<string, unknown>): string {
  const before = fieldsOf(pub['before'])
  const words: string[] = []
  if (pub['mode'] !== undefined && pub['mode'] !== before['mode'])
    words.push(`mode ${word(before['mode'])} → ${word(pub['mode'])}`)
  if (pub['policy'] !== undefined) {
    const [old, now] = [fieldsOf(before['policy']), fieldsOf(pub['policy'])]
    const keys = [...new Set([...Object.keys(old), ...Object.keys(now)])].toSorted()
    for (const key of keys) {
      if (word(old[key]) !== word(now[key]))
        words.push(`${key} ${word(old[key]) || 'none'} → ${word(now[key]) || 'none'}`)
    }
  }
  return words.length === 0 ? 'nothing else' : words.join(', ')
}

function fieldsOf(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
}

function word(value: unknown): string {
  if (Array.isArray(value)) return value.map(word).join('+')
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'
    ? String(value)
    : ''
}
