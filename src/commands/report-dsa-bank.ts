// report dsa-bank: what a statement of reasons says about what a bank finds.
import type { Command } from 'commander'
import { bankNamed } from '../banks/bank-store.ts'
import type { Bank } from '../domain/bank.ts'
import { UsageError } from '../domain/errors.ts'
import { ruleOf } from '../reports/dsa-actions.ts'
import { dsaCategories, dsaKeywords } from '../reports/dsa-format.ts'
import { checkRule, dsaDefaults } from '../reports/dsa-rule.ts'
import type { DsaRule } from '../reports/dsa-rule.ts'
import { setBankDsa } from '../steps/dsa.ts'
import type { Io } from './io.ts'
import { withExamples } from './examples.ts'
import { printFacts, printJson } from './output.ts'
import { parseOneOf } from './parse.ts'
import { withSession } from './session.ts'

type Options = {
  ground?: string
  category?: string
  keyword?: string[]
  reference?: string
  explanation?: string
  referenceUrl?: string
  alsoIllegal?: string
  defaults?: boolean
  json?: boolean
}

export function addReportDsaBank(command: Command, io: Io): void {
  withExamples(
    command
      .command('dsa-bank')
      .description(
        'what is said to the EU database about what a bank finds; without options: show it',
      )
      .argument('<NAME>', 'the bank')
      .option('--ground <GROUND>', 'illegal (by a law) or incompatible (with the terms)')
      .option('--category <CATEGORY>', `STATEMENT_CATEGORY_…, with or without the beginning`)
      .option('--keyword <KEYWORD...>', 'KEYWORD_…, with or without the beginning')
      .option('--reference <TEXT>', 'the law, or the part of the terms')
      .option('--explanation <TEXT>', 'why the content falls under it; no personal data')
      .option('--reference-url <URL>', 'where the law or the terms are')
      .option('--also-illegal <YES>', 'of incompatible content: yes or no')
      .option('--defaults', 'the defaults of the class of the bank again')
      .option('--json', 'print the result as JSON')
      .addHelpText(
        'after',
        () => `\nCategories:\n${namesOf(dsaCategories)}\nKeywords:\n${namesOf(dsaKeywords)}`,
      )
      .action((name: string, options: Options) => run(io, name, options)),
    [
      'report dsa-bank SPAM',
      'report dsa-bank SPAM --category SCAMS_AND_FRAUD --keyword PHISHING --explanation "Known fraud pictures."',
      'report dsa-bank KNOWN_BAD --ground illegal --reference "Criminal code, section 184b"',
      'report dsa-bank SPAM --defaults',
    ],
  )
}

function namesOf(names: readonly string[]): string {
  return names.map((name) => `  ${name.replace(/^(STATEMENT_CATEGORY|KEYWORD)_/, '')}`).join('\n')
}

async function run(io: Io, name: string, options: Options): Promise<void> {
  await withSession(io, async (session) => {
    const { db } = session
    const bank = await bankNamed(db, name)
    const before = await ruleOf(db, bank.id)
    const change = readChange(options)
    if (options.defaults === true && Object.keys(change).length > 0)
      throw new UsageError('--defaults takes everything back: no other option beside it')
    if (options.defaults === true || Object.keys(change).length > 0) {
      const rule =
        options.defaults === true
          ? null
          : changed(before?.rule ?? dsaDefaults[bank.class], change, bank)
      await setBankDsa(db, {
        bank: name,
        rule,
        principal: await session.principal(),
        nowMs: session.nowMs(),
      })
    }
    const after = await ruleOf(db, bank.id)
    const rule = after?.rule ?? dsaDefaults[bank.class]
    if (options.json === true) printJson(io, { bank: name, rule, isDefault: after === undefined })
    else print(io, bank, rule, after === undefined)
  })
}

/** What was named, and nothing else. */
function readChange(options: Options): Partial<DsaRule> {
  const { ground, category, keyword, reference, explanation, referenceUrl, alsoIllegal } = options
  return {
    ...(ground !== undefined && {
      ground: parseOneOf(ground, '--ground', ['illegal', 'incompatible']),
    }),
    ...(category !== undefined && {
      category: named(category, '--category', 'STATEMENT_CATEGORY_', dsaCategories),
    }),
    ...(keyword !== undefined && {
      keywords: [
        ...new Set(keyword.map((one) => named(one, '--keyword', 'KEYWORD_', dsaKeywords))),
      ],
    }),
    ...(reference !== undefined && { reference }),
    ...(explanation !== undefined && { explanation }),
    ...(referenceUrl !== undefined && { referenceUrl }),
    ...(alsoIllegal !== undefined && {
      alsoIllegal: parseOneOf(alsoIllegal, '--also-illegal', ['yes', 'no']) === 'yes',
    }),
  }
}

function named<const T extends string>(
  text: string,
  what: string,
  begin: string,
  allowed: readonly T[],
): T {
  const full = text.startsWith(begin) ? text : `${begin}${text}`
  const found = allowed.find((one) => one === full)
  if (found === undefined) throw new UsageError(`${what} ${text} is none that there is (--help)`)
  return found
}

function changed(before: DsaRule, change: Partial<DsaRule>, bank: Bank): DsaRule {
  const { alsoIllegal, ...rest } = { ...before, ...change }
  const rule = checkRule({
    ...rest,
    // Of illegal content the question does not arise.
    ...(alsoIllegal !== undefined &&
      (rest.ground === 'incompatible' || change.alsoIllegal !== undefined) && { alsoIllegal }),
  })
  const text = `${rule.reference} ${rule.explanation} ${rule.referenceUrl ?? ''}`
  if ((bank.class === 'restricted' || bank.confidential) && text.includes(bank.name))
    throw new UsageError('nothing published may name this bank')
  return rule
}

function print(io: Io, bank: Bank, rule: DsaRule, isDefault: boolean): void {
  printFacts(io, [
    ['bank', `${bank.name} (${bank.class})`],
    ['set', isDefault ? 'nothing: the defaults of its class' : 'by the operator'],
    ['ground', rule.ground],
    ['category', rule.category],
    ['keywords', rule.keywords.join(', ') || undefined],
    ['reference', rule.reference],
    ['explanation', rule.explanation],
    ['reference url', rule.referenceUrl],
    ['also illegal', rule.alsoIllegal === undefined ? undefined : rule.alsoIllegal ? 'yes' : 'no'],
  ])
}
