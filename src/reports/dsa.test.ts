import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { UsageError } from '../domain/errors.ts'
import { createDataKey } from '../ledger/seal.ts'
import {
  dsaAutomatedDecisions,
  dsaCategories,
  dsaContentTypes,
  dsaGrounds,
  dsaKeywords,
  dsaSources,
  dsaVisibilities,
  statementProblems,
} from './dsa-format.ts'
import type { DsaStatement } from './dsa-format.ts'
import { checkRule, dsaDefaults, personalIn } from './dsa-rule.ts'
import type { DsaRule } from './dsa-rule.ts'
import { makeStatement } from './dsa-statement.ts'
import type { Restriction } from './dsa-statement.ts'

const seed = Number(process.env['BLOBWATCH_TEST_SEED'] ?? 20261121)

/** As the database's own documentation lists them (API documentation, schema of 1 July 2025). */
const published = {
  category: [
    ...['ANIMAL_WELFARE', 'CONSUMER_INFORMATION', 'CYBER_VIOLENCE', 'CYBER_VIOLENCE_AGAINST_WOMEN'],
    ...['DATA_PROTECTION_AND_PRIVACY_VIOLATIONS', 'ILLEGAL_OR_HARMFUL_SPEECH'],
    ...['INTELLECTUAL_PROPERTY_INFRINGEMENTS', 'NOT_SPECIFIED_NOTICE', 'OTHER_VIOLATION_TC'],
    ...['NEGATIVE_EFFECTS_ON_CIVIC_DISCOURSE_OR_ELECTIONS', 'PROTECTION_OF_MINORS'],
    ...['RISK_FOR_PUBLIC_SECURITY', 'SCAMS_AND_FRAUD', 'SELF_HARM', 'VIOLENCE'],
    'UNSAFE_AND_PROHIBITED_PRODUCTS',
  ].map((name) => `STATEMENT_CATEGORY_${name}`),
  visibility: ['REMOVED', 'DISABLED', 'LABELLED', 'AGE_RESTRICTED'].map(
    (name) => `DECISION_VISIBILITY_CONTENT_${name}`,
  ),
  ground: ['DECISION_GROUND_ILLEGAL_CONTENT', 'DECISION_GROUND_INCOMPATIBLE_CONTENT'],
  source: [
    ...['SOURCE_VOLUNTARY', 'SOURCE_ARTICLE_16', 'SOURCE_TRUSTED_FLAGGER'],
    'SOURCE_TYPE_OTHER_NOTIFICATION',
  ],
  content: ['IMAGE', 'VIDEO', 'SYNTHETIC_MEDIA', 'OTHER'].map((name) => `CONTENT_TYPE_${name}`),
  decision: ['FULLY', 'PARTIALLY', 'NOT_AUTOMATED'].map((name) => `AUTOMATED_DECISION_${name}`),
  keyword: [
    ...['CHILD_SEXUAL_ABUSE_MATERIAL', 'CHILD_SEXUAL_ABUSE_MATERIAL_DEEPFAKE'],
    ...['NON_CONSENSUAL_IMAGE_SHARING', 'NON_CONSENSUAL_MATERIAL_DEEPFAKE', 'TERRORIST_CONTENT'],
  ].map((name) => `KEYWORD_${name}`),
}

const restriction: Restriction = {
  action: 7,
  kind: 'takedown-blob',
  bankClass: 'open',
  rule: null,
  signalType: 'sha256',
  media: 'image',
  seenAt: new Date('2026-10-01T23:59:59Z'),
  appliedAt: new Date('2026-10-02T00:00:01Z'),
  liftedAt: null,
  byPerson: false,
  confirmedLater: false,
}
const rule: DsaRule = {
  ground: 'illegal',
  category: 'STATEMENT_CATEGORY_RISK_FOR_PUBLIC_SECURITY',
  keywords: ['KEYWORD_TERRORIST_CONTENT'],
  reference: 'Regulation (EU) 2021/784, art. 2(7)',
  explanation: 'Known propaganda of a listed organisation.',
  referenceUrl: 'https://eur-lex.europa.eu/eli/reg/2021/784/oj',
}

function made(change: Partial<Restriction> = {}, secretNames: string[] = []): DsaStatement {
  const result = makeStatement({ ...restriction, ...change }, { puid: 'bw-1', secretNames })
  if (result.kind === 'refused') assert.fail(result.problems.join('; '))
  return result.statement
}

function problemsOf(change: Partial<Restriction>, secretNames: string[] = []): string[] {
  const result = makeStatement({ ...restriction, ...change }, { puid: 'bw-1', secretNames })
  return result.kind === 'refused' ? result.problems : []
}

describe('the format', () => {
  test('has the values that the database publishes, and no other', () => {
    const same = (ours: readonly string[], theirs: string[]) =>
      assert.deepEqual(ours.toSorted(), theirs.toSorted())
    same(dsaCategories, published.category)
    same(dsaVisibilities, published.visibility)
    same(dsaGrounds, published.ground)
    same(dsaSources, published.source)
    same(dsaContentTypes, published.content)
    same(dsaAutomatedDecisions, published.decision)
    for (const keyword of published.keyword)
      assert.ok((dsaKeywords as readonly string[]).includes(keyword), keyword)
  })

  test('a statement lacks nothing: without any one of its fields it is refused', () => {
    const statement = made()
    for (const name of Object.keys(statement)) {
      const { [name as keyof DsaStatement]: _gone, ...rest } = statement
      assert.match(statementProblems(rest).join(), new RegExp(`${name}|content_type`), name)
    }
    assert.deepEqual(statementProblems(statement), [])
  })

  test('refuses what the database refuses', () => {
    const statement = made()
    const wrong: [object, RegExp][] = [
      [{ puid: 'a b' }, /puid/],
      [{ puid: '' }, /puid/],
      [{ puid: 'x'.repeat(501) }, /puid/],
      [{ category: 'STATEMENT_CATEGORY_PORNOGRAPHY' }, /category/],
      [{ decision_visibility: [] }, /decision_visibility/],
      [{ decision_visibility: 'DECISION_VISIBILITY_CONTENT_REMOVED' }, /decision_visibility/],
      [{ content_date: '2026-02-30' }, /content_date/],
      [{ content_date: '2026-10-1' }, /content_date/],
      [{ content_date: '2026-10-03' }, /content_date is after application_date/],
      [{ application_date: '2019-12-31', content_date: '2019-12-31' }, /application_date/],
      [{ end_date_visibility_restriction: '2026-10-01' }, /end_date.* before/],
      [{ decision_facts: 'x'.repeat(5001) }, /decision_facts/],
      [{ decision_facts: ' ' }, /decision_facts/],
      [{ incompatible_content_ground: 'x'.repeat(501) }, /incompatible_content_ground/],
      [{ incompatible_content_explanation: 'x'.repeat(2001) }, /incompatible_content_explanation/],
      [{ illegal_content_legal_ground: 'a law' }, /does not belong here/],
      [{ content_type_other: 'x' }, /does not belong here/],
      [{ content_type: ['CONTENT_TYPE_OTHER'] }, /content_type_other is missing/],
      [{ automated_detection: 'yes' }, /automated_detection/],
      [{ source_type: 'SOURCE_OTHER' }, /source_type/],
      [{ decision_ground_reference_url: 'http://example.com' }, /reference_url/],
      [{ account_did: 'x' }, /no field/],
    ]
    for (const [change, problem] of wrong)
      assert.match(statementProblems({ ...statement, ...change }).join(), problem)
    assert.deepEqual(statementProblems({ ...statement, puid: 'aZ09-_' }), [])
    for (const rubbish of [null, 'x', [], 7]) assert.equal(statementProblems(rubbish).length, 1)
  })
})

describe('a statement', () => {
  test('of every kind, class and state passes the format', () => {
    fc.assert(
      fc.property(
        fc.record({
          kind: fc.constantFrom('takedown-blob', 'takedown-record', 'label'),
          bankClass: fc.constantFrom('restricted', 'open'),
          rule: fc.constantFrom(null, rule, { ...rule, ground: 'incompatible', alsoIllegal: true }),
          signalType: fc.constantFrom('sha256', 'md5', 'pdq', 'clip'),
          media: fc.constantFrom('image', 'video', 'other', null),
          byPerson: fc.boolean(),
          confirmedLater: fc.boolean(),
          liftedAt: fc.constantFrom(null, new Date('2026-10-05T00:00:00Z')),
        }) as fc.Arbitrary<Partial<Restriction>>,
        (change) => {
          assert.deepEqual(statementProblems(made(change)), [])
        },
      ),
      { numRuns: 300, seed },
    )
  })

  test('says days, and nothing finer', () => {
    const statement = made()
    assert.equal(statement.content_date, '2026-10-01')
    assert.equal(statement.application_date, '2026-10-02')
    assert.ok(!JSON.stringify(statement).includes('T00'))
  })

  test('is fully automated only where no person confirmed it, before or after', () => {
    assert.equal(made().automated_decision, 'AUTOMATED_DECISION_FULLY')
    assert.match(made().decision_facts, /without a person/)
    for (const change of [{ byPerson: true }, { confirmedLater: true }]) {
      assert.equal(made(change).automated_decision, 'AUTOMATED_DECISION_PARTIALLY')
      assert.match(made(change).decision_facts, /person (reviewed|confirmed)/)
    }
    assert.equal(made().automated_detection, 'Yes')
    assert.equal(made().source_type, 'SOURCE_VOLUNTARY')
  })

  test('says what was restricted: a label labels, a takedown disables', () => {
    assert.deepEqual(made({ kind: 'label' }).decision_visibility, [
      'DECISION_VISIBILITY_CONTENT_LABELLED',
    ])
    assert.deepEqual(made().decision_visibility, ['DECISION_VISIBILITY_CONTENT_DISABLED'])
    assert.deepEqual(made({ media: 'video' }).content_type, ['CONTENT_TYPE_VIDEO'])
    assert.equal(made({ media: null }).content_type_other, 'Media file')
  })

  test('with nothing set names no kind of harm, of neither class', () => {
    for (const bankClass of ['restricted', 'open'] as const) {
      const text = JSON.stringify(made({ bankClass }))
      assert.match(text, /STATEMENT_CATEGORY_OTHER_VIOLATION_TC/)
      assert.ok(!/KEYWORD|ILLEGAL|child|abuse|list/i.test(text.replace('INCOMPATIBLE', '')), text)
    }
    for (const byDefault of Object.values(dsaDefaults)) checkRule(byDefault)
  })

  test('that a person or a secret bank could be found in is refused, whichever text it is in', () => {
    for (const found of [
      'see did:plc:aaaaaaaaaaaaaaaaaaaaaaaa',
      'at://x/y/z',
      'posted by alice.bsky.social',
      'write to a@b',
      'ask @alice',
      'bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy',
      'd41d8cd98f00b204e9800998ecf8427e',
    ]) {
      assert.notEqual(personalIn(found), undefined, found)
      for (const part of ['reference', 'explanation'] as const) {
        for (const ground of ['illegal', 'incompatible'] as const) {
          const problems = problemsOf({ rule: { ...rule, ground, [part]: found } })
          assert.equal(problems.length, 1, `${ground} ${part} ${found}`)
        }
        assert.throws(() => checkRule({ ...rule, [part]: found }), UsageError)
      }
    }
    assert.equal(problemsOf({ rule: { ...rule, explanation: 'From KNOWN_BAD.' } }).length, 0)
    assert.match(
      problemsOf({ rule: { ...rule, explanation: 'From KNOWN_BAD.' } }, ['KNOWN_BAD']).join(),
      /must not be named/,
    )
    for (const plain of ['Art. 2(7), e.g. this. And that', 'Section 3.2.1 of the rules, v1.0'])
      assert.equal(personalIn(plain), undefined, plain)
  })
})

test('a pseudonym is stable, another for another text, context or key, and is not the text', () => {
  const key = createDataKey('11'.repeat(32))
  const name = key.pseudonym('dsa-puid/v1', 'here:7')
  assert.equal(name, createDataKey('11'.repeat(32)).pseudonym('dsa-puid/v1', 'here:7'))
  const others = [
    key.pseudonym('dsa-puid/v1', 'here:8'),
    key.pseudonym('dsa-puid/v2', 'here:7'),
    createDataKey('12'.repeat(32)).pseudonym('dsa-puid/v1', 'here:7'),
  ]
  assert.equal(new Set([name, ...others]).size, 4)
  assert.match(name, /^[0-9a-f]{64}$/)
})
