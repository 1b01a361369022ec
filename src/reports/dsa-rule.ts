// What the operator says to the EU's transparency database about what a bank finds, and what is said where nothing was set.
import type { BankClass } from '../domain/bank.ts'
import { UsageError } from '../domain/errors.ts'
import type { DsaCategory, DsaKeyword } from './dsa-format.ts'
import { dsaCategories, dsaKeywords, dsaLimits } from './dsa-format.ts'

export type DsaRule = {
  /** Illegal by a law, or against the operator's own terms. */
  ground: 'illegal' | 'incompatible'
  category: DsaCategory
  keywords: DsaKeyword[]
  /** The law, or the part of the terms. */
  reference: string
  explanation: string
  referenceUrl?: string
  /** Of incompatible content: whether it is held to be illegal too. */
  alsoIllegal?: boolean
}

/**
 * A class says what may be told, not what the material is: neither names a law nor a kind of harm. A restricted bank's says
 * no more than an open one's needs to.
 */
export const dsaDefaults: Record<BankClass, DsaRule> = {
  restricted: {
    ground: 'incompatible',
    category: 'STATEMENT_CATEGORY_OTHER_VIOLATION_TC',
    keywords: [],
    reference: 'The terms of service, on media that is not permitted.',
    explanation: 'The media file is one that this service does not permit to be published.',
  },
  open: {
    ground: 'incompatible',
    category: 'STATEMENT_CATEGORY_OTHER_VIOLATION_TC',
    keywords: [],
    reference:
      'The terms of service and moderation rules, on media that is not permitted or is labelled.',
    explanation:
      'The media file is one that the moderation rules of this service restrict wherever it is published.',
  },
}

/** Throws UsageError with what is wrong. */
export function checkRule(rule: DsaRule): DsaRule {
  if (!dsaCategories.includes(rule.category)) throw new UsageError('there is no such category')
  const stranger = rule.keywords.find((keyword) => !dsaKeywords.includes(keyword))
  if (stranger !== undefined) throw new UsageError(`there is no keyword ${stranger}`)
  checkText(rule.reference, '--reference', dsaLimits.groundChars)
  checkText(rule.explanation, '--explanation', dsaLimits.explanationChars)
  const { referenceUrl } = rule
  if (
    referenceUrl !== undefined &&
    (!URL.canParse(referenceUrl) ||
      new URL(referenceUrl).protocol !== 'https:' ||
      referenceUrl.length > dsaLimits.urlChars ||
      namesSomebodyIn(referenceUrl) !== undefined)
  )
    throw new UsageError('--reference-url is an https address of the terms or the law')
  if (rule.alsoIllegal !== undefined && rule.ground === 'illegal')
    throw new UsageError('--also-illegal goes with --ground incompatible')
  return rule
}

function checkText(value: string, what: string, charsMax: number): void {
  if (value.trim() === '' || value.length > charsMax)
    throw new UsageError(`${what} has 1 to ${charsMax} characters`)
  const found = personalIn(value)
  if (found !== undefined)
    throw new UsageError(`${what} has ${found} in it: the database takes no personal data`)
}

/** What looks like personal data or an address in a free text; undefined: nothing does. */
export function personalIn(value: string): string | undefined {
  const named = namesSomebodyIn(value)
  if (named !== undefined) return named
  // Also a plain web address: a handle is a domain name, and nobody can tell them apart.
  if (/(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,}/i.test(value))
    return 'a handle or a web address'
  return undefined
}

function namesSomebodyIn(value: string): string | undefined {
  if (/did:[a-z0-9]+:/i.test(value)) return 'a DID'
  if (/at:\/\//i.test(value)) return 'an at:// address'
  if (/[^\s@]@[^\s@]+/.test(value)) return 'an e-mail address'
  if (/(^|[^\w])@\w/.test(value)) return 'a handle'
  if (/\bbaf[a-z2-7]{20,}/i.test(value) || /\b[0-9a-f]{32,}\b/i.test(value)) return 'a hash'
  return undefined
}
