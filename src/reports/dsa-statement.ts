// One restriction as one statement of reasons. Pure; what does not pass is a value with what is wrong, never a statement.
import { isExact, isPerceptual } from '../domain/signal-kind.ts'
import type { BankClass } from '../domain/bank.ts'
import type { AnySignalType } from '../domain/blob.ts'
import type { DsaStatement } from './dsa-format.ts'
import { statementProblems } from './dsa-format.ts'
import { dsaDefaults, personalIn } from './dsa-rule.ts'
import type { DsaRule } from './dsa-rule.ts'

/** An action that restricted content, with what a statement may say of it. Nothing here names an account or a post. */
export type Restriction = {
  action: number
  kind: 'takedown-blob' | 'takedown-record' | 'label'
  bankClass: BankClass
  /** null: the defaults of the class. */
  rule: DsaRule | null
  signalType: AnySignalType
  media: 'image' | 'video' | 'other' | null
  seenAt: Date
  appliedAt: Date
  /** When it was taken back, if it was. */
  liftedAt: Date | null
  /** A person's word came before it, or after it. */
  byPerson: boolean
  confirmedLater: boolean
}

export type Made =
  { kind: 'statement'; statement: DsaStatement } | { kind: 'refused'; problems: string[] }

/** `secretNames`: of banks that nothing published may name. */
export function makeStatement(
  restriction: Restriction,
  input: { puid: string; secretNames: readonly string[] },
): Made {
  const rule = restriction.rule ?? dsaDefaults[restriction.bankClass]
  const statement: DsaStatement = {
    decision_visibility: [
      restriction.kind === 'label'
        ? 'DECISION_VISIBILITY_CONTENT_LABELLED'
        : 'DECISION_VISIBILITY_CONTENT_DISABLED',
    ],
    ...groundOf(rule),
    ...contentOf(restriction),
    category: rule.category,
    ...(rule.keywords.length > 0 && { category_specification: rule.keywords }),
    // The day it was seen: when a record says that it was made is its author's word.
    content_date: dayOf(restriction.seenAt),
    application_date: dayOf(restriction.appliedAt),
    ...(restriction.liftedAt !== null && {
      end_date_visibility_restriction: dayOf(restriction.liftedAt),
    }),
    decision_facts: factsOf(restriction),
    source_type: 'SOURCE_VOLUNTARY',
    automated_detection: 'Yes',
    automated_decision:
      restriction.byPerson || restriction.confirmedLater
        ? 'AUTOMATED_DECISION_PARTIALLY'
        : 'AUTOMATED_DECISION_FULLY',
    puid: input.puid,
  }
  const problems = [...statementProblems(statement), ...textProblems(statement, input.secretNames)]
  return problems.length === 0
    ? { kind: 'statement', statement }
    : { kind: 'refused', problems: [...new Set(problems)] }
}

function groundOf(rule: DsaRule): Pick<DsaStatement, 'decision_ground'> & Partial<DsaStatement> {
  const url = rule.referenceUrl !== undefined && {
    decision_ground_reference_url: rule.referenceUrl,
  }
  if (rule.ground === 'illegal') {
    return {
      decision_ground: 'DECISION_GROUND_ILLEGAL_CONTENT',
      ...url,
      illegal_content_legal_ground: rule.reference,
      illegal_content_explanation: rule.explanation,
    }
  }
  return {
    decision_ground: 'DECISION_GROUND_INCOMPATIBLE_CONTENT',
    ...url,
    incompatible_content_ground: rule.reference,
    incompatible_content_explanation: rule.explanation,
    ...(rule.alsoIllegal !== undefined && {
      incompatible_content_illegal: rule.alsoIllegal ? ('Yes' as const) : ('No' as const),
    }),
  }
}

function contentOf({
  media,
}: Restriction): Pick<DsaStatement, 'content_type' | 'content_type_other'> {
  switch (media) {
    case 'image':
      return { content_type: ['CONTENT_TYPE_IMAGE'] }
    case 'video':
      return { content_type: ['CONTENT_TYPE_VIDEO'] }
    case 'other':
    case null:
      return { content_type: ['CONTENT_TYPE_OTHER'], content_type_other: 'Media file' }
    default:
      return media satisfies never
  }
}

function factsOf({ kind, signalType, byPerson, confirmedLater }: Restriction): string {
  const how = isExact(signalType)
    ? 'by a cryptographic digest, which finds identical files only'
    : isPerceptual(signalType)
      ? 'by a perceptual hash, which also finds altered copies'
      : 'by a value that another program computes, which may also find altered copies'
  const who = byPerson
    ? 'A person reviewed the match and confirmed it before the restriction was applied.'
    : confirmedLater
      ? 'The restriction was applied by rule, and a person confirmed it afterwards.'
      : 'The restriction was applied by rule, without a person.'
  const what = {
    'takedown-blob': 'Access to the media file was disabled.',
    'takedown-record': 'Access to the post that carries the media file was disabled.',
    label: 'The post that carries the media file was labelled.',
  }[kind]
  return `The media file was compared automatically with known material ${how}, and matched. ${who} ${what}`
}

/** Every free text; the address of the terms is a web address by its nature. */
function textProblems(statement: DsaStatement, secretNames: readonly string[]): string[] {
  const texts = [
    statement.illegal_content_legal_ground,
    statement.illegal_content_explanation,
    statement.incompatible_content_ground,
    statement.incompatible_content_explanation,
    statement.content_type_other,
    statement.decision_facts,
  ].filter((one) => one !== undefined)
  return texts.flatMap((one) => {
    const found = personalIn(one)
    const words = new Set(one.match(/[A-Z_][A-Z0-9_]+/g))
    return [
      ...(found === undefined ? [] : [`a text has ${found} in it`]),
      ...(secretNames.some((name) => words.has(name))
        ? ['a text names a bank that must not be named']
        : []),
    ]
  })
}

export function dayOf(at: Date): string {
  return at.toISOString().slice(0, 10)
}
