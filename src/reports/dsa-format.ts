// The format of the EU's DSA Transparency Database: what its API takes for a statement of reasons. Nothing leaves that does
// not pass here. Source: the API documentation of transparency.dsa.ec.europa.eu (schema of 1 July 2025) and its published
// code, github.com/digital-services-act/transparency-database.

export const dsaLimits = {
  statementsPerCall: 100,
  groundChars: 500,
  explanationChars: 2000,
  factsChars: 5000,
  urlChars: 500,
  otherChars: 500,
} as const

export const dsaVisibilities = [
  'DECISION_VISIBILITY_CONTENT_REMOVED',
  'DECISION_VISIBILITY_CONTENT_DISABLED',
  'DECISION_VISIBILITY_CONTENT_LABELLED',
  'DECISION_VISIBILITY_CONTENT_AGE_RESTRICTED',
] as const
export const dsaGrounds = [
  'DECISION_GROUND_ILLEGAL_CONTENT',
  'DECISION_GROUND_INCOMPATIBLE_CONTENT',
] as const
export const dsaContentTypes = [
  'CONTENT_TYPE_IMAGE',
  'CONTENT_TYPE_VIDEO',
  'CONTENT_TYPE_SYNTHETIC_MEDIA',
  'CONTENT_TYPE_OTHER',
] as const
export const dsaCategories = [
  'STATEMENT_CATEGORY_ANIMAL_WELFARE',
  'STATEMENT_CATEGORY_CONSUMER_INFORMATION',
  'STATEMENT_CATEGORY_CYBER_VIOLENCE',
  'STATEMENT_CATEGORY_CYBER_VIOLENCE_AGAINST_WOMEN',
  'STATEMENT_CATEGORY_DATA_PROTECTION_AND_PRIVACY_VIOLATIONS',
  'STATEMENT_CATEGORY_ILLEGAL_OR_HARMFUL_SPEECH',
  'STATEMENT_CATEGORY_INTELLECTUAL_PROPERTY_INFRINGEMENTS',
  'STATEMENT_CATEGORY_NEGATIVE_EFFECTS_ON_CIVIC_DISCOURSE_OR_ELECTIONS',
  'STATEMENT_CATEGORY_NOT_SPECIFIED_NOTICE',
  'STATEMENT_CATEGORY_OTHER_VIOLATION_TC',
  'STATEMENT_CATEGORY_PROTECTION_OF_MINORS',
  'STATEMENT_CATEGORY_RISK_FOR_PUBLIC_SECURITY',
  'STATEMENT_CATEGORY_SCAMS_AND_FRAUD',
  'STATEMENT_CATEGORY_SELF_HARM',
  'STATEMENT_CATEGORY_UNSAFE_AND_PROHIBITED_PRODUCTS',
  'STATEMENT_CATEGORY_VIOLENCE',
] as const
/** Those that a picture can be about; the database knows more. */
export const dsaKeywords = [
  'KEYWORD_ANIMAL_HARM',
  'KEYWORD_ADULT_SEXUAL_MATERIAL',
  'KEYWORD_CHILD_SEXUAL_ABUSE_MATERIAL',
  'KEYWORD_CHILD_SEXUAL_ABUSE_MATERIAL_DEEPFAKE',
  'KEYWORD_COPYRIGHT_INFRINGEMENT',
  'KEYWORD_CYBER_HARASSMENT',
  'KEYWORD_HATE_SPEECH',
  'KEYWORD_IMPERSONATION_ACCOUNT_HIJACKING',
  'KEYWORD_INCITEMENT_VIOLENCE_HATRED',
  'KEYWORD_NON_CONSENSUAL_IMAGE_SHARING',
  'KEYWORD_NON_CONSENSUAL_MATERIAL_DEEPFAKE',
  'KEYWORD_NUDITY',
  'KEYWORD_OTHER',
  'KEYWORD_PHISHING',
  'KEYWORD_SELF_MUTILATION',
  'KEYWORD_SUICIDE',
  'KEYWORD_TERRORIST_CONTENT',
] as const
export const dsaSources = [
  'SOURCE_VOLUNTARY',
  'SOURCE_ARTICLE_16',
  'SOURCE_TRUSTED_FLAGGER',
  'SOURCE_TYPE_OTHER_NOTIFICATION',
] as const
export const dsaAutomatedDecisions = [
  'AUTOMATED_DECISION_FULLY',
  'AUTOMATED_DECISION_PARTIALLY',
  'AUTOMATED_DECISION_NOT_AUTOMATED',
] as const

export type DsaCategory = (typeof dsaCategories)[number]
export type DsaKeyword = (typeof dsaKeywords)[number]

/** The fields that we send, by the database's names. Dates are days: YYYY-MM-DD. */
export type DsaStatement = {
  decision_visibility: (typeof dsaVisibilities)[number][]
  decision_ground: (typeof dsaGrounds)[number]
  decision_ground_reference_url?: string
  illegal_content_legal_ground?: string
  illegal_content_explanation?: string
  incompatible_content_ground?: string
  incompatible_content_explanation?: string
  incompatible_content_illegal?: 'Yes' | 'No'
  content_type: (typeof dsaContentTypes)[number][]
  content_type_other?: string
  category: DsaCategory
  category_specification?: DsaKeyword[]
  content_date: string
  application_date: string
  end_date_visibility_restriction?: string
  decision_facts: string
  source_type: (typeof dsaSources)[number]
  automated_detection: 'Yes' | 'No'
  automated_decision: (typeof dsaAutomatedDecisions)[number]
  puid: string
}

type Rule = { required: boolean; holds: (value: unknown) => boolean; says: string }

const puidPattern = /^[a-zA-Z0-9_-]{1,500}$/

/** What the database would refuse, a sentence each; empty: it takes the statement. */
export function statementProblems(statement: unknown): string[] {
  if (typeof statement !== 'object' || statement === null || Array.isArray(statement))
    return ['a statement is an object']
  const given = statement as Record<string, unknown>
  const rules = rulesFor(given)
  const problems: string[] = []
  for (const [name, { required, holds, says }] of Object.entries(rules)) {
    const value = given[name]
    if (value === undefined || value === null) {
      if (required) problems.push(`${name} is missing`)
    } else if (!holds(value)) problems.push(`${name} ${says}`)
  }
  for (const name of Object.keys(given)) {
    if (!(name in rules)) problems.push(`${name} is no field of a statement here`)
  }
  const [content, application] = [given['content_date'], given['application_date']]
  const end = given['end_date_visibility_restriction']
  if (typeof content === 'string' && typeof application === 'string' && content > application)
    problems.push('content_date is after application_date')
  if (typeof end === 'string' && typeof application === 'string' && end < application)
    problems.push('end_date_visibility_restriction is before application_date')
  return problems
}

function rulesFor(given: Record<string, unknown>): Record<string, Rule> {
  const illegal = given['decision_ground'] === 'DECISION_GROUND_ILLEGAL_CONTENT'
  const incompatible = given['decision_ground'] === 'DECISION_GROUND_INCOMPATIBLE_CONTENT'
  const types = given['content_type']
  const other = Array.isArray(types) && types.includes('CONTENT_TYPE_OTHER')
  const { groundChars, explanationChars, factsChars, otherChars } = dsaLimits
  return {
    decision_visibility: listOf(dsaVisibilities),
    decision_ground: oneOf(dsaGrounds),
    decision_ground_reference_url: { ...optional, holds: isUrl, says: 'is no https address' },
    illegal_content_legal_ground: text(groundChars, illegal, illegal),
    illegal_content_explanation: text(explanationChars, illegal, illegal),
    incompatible_content_ground: text(groundChars, incompatible, incompatible),
    incompatible_content_explanation: text(explanationChars, incompatible, incompatible),
    incompatible_content_illegal: {
      ...optional,
      holds: (value) => incompatible && (value === 'Yes' || value === 'No'),
      says: 'is Yes or No, and only of incompatible content',
    },
    content_type: listOf(dsaContentTypes),
    content_type_other: text(otherChars, other, other),
    category: oneOf(dsaCategories),
    category_specification: { ...listOf(dsaKeywords), required: false },
    content_date: day('2000-01-01'),
    application_date: day('2020-01-01'),
    end_date_visibility_restriction: { ...day('2020-01-01'), required: false },
    decision_facts: text(factsChars, true, true),
    source_type: oneOf(dsaSources),
    automated_detection: oneOf(['Yes', 'No']),
    automated_decision: oneOf(dsaAutomatedDecisions),
    puid: {
      required: true,
      holds: (value) => typeof value === 'string' && puidPattern.test(value),
      says: 'is 1 to 500 letters, digits, - or _',
    },
  }
}

const optional = { required: false } as const

function oneOf(allowed: readonly string[]): Rule {
  return {
    required: true,
    holds: (value) => typeof value === 'string' && allowed.includes(value),
    says: 'is none of the values that the database knows',
  }
}

function listOf(allowed: readonly string[]): Rule {
  return {
    required: true,
    holds: (value) =>
      Array.isArray(value) &&
      value.length > 0 &&
      new Set(value).size === value.length &&
      value.every((item) => allowed.includes(item as string)),
    says: 'is not a list of values that the database knows, each once',
  }
}

/** `belongs`: with another ground, or another type of content, the field has to be absent. */
function text(charsMax: number, required: boolean, belongs: boolean): Rule {
  return {
    required,
    holds: (value) =>
      belongs &&
      typeof value === 'string' &&
      value.trim() !== '' &&
      value.length <= charsMax &&
      value.isWellFormed(),
    says: belongs ? `is a text of 1 to ${charsMax} characters` : 'does not belong here',
  }
}

function day(first: string): Rule {
  return {
    required: true,
    holds: (value) => {
      if (typeof value !== 'string' || !/^\d{4}-\d{2}-\d{2}$/.test(value)) return false
      const at = new Date(`${value}T00:00:00Z`)
      if (Number.isNaN(at.getTime()) || at.toISOString().slice(0, 10) !== value) return false
      return value >= first && value <= '2038-01-01'
    },
    says: `is a day like 2026-10-01, from ${first} to 2038-01-01`,
  }
}

function isUrl(value: unknown): boolean {
  if (typeof value !== 'string' || value.length > dsaLimits.urlChars) return false
  return URL.canParse(value) && new URL(value).protocol === 'https:'
}
