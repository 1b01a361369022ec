// bank create and bank set: what a bank is and what its matches may do.
import type { Command } from 'commander'
import { bankNamed, createBank, setBank } from '../banks/bank-store.ts'
import { actionKinds, bankClasses, modes } from '../domain/bank.ts'
import type { BankPolicy } from '../domain/bank.ts'
import { UsageError } from '../domain/errors.ts'
import type { Io } from './io.ts'
import { withExamples } from './examples.ts'
import { printJson } from './output.ts'
import { parseList, parseOneOf, parseWhole } from './parse.ts'
import { withSession } from './session.ts'

type PolicyOptions = {
  mode?: string
  class?: string
  exact?: string
  perceptual?: string
  pdqDistance?: string
  /** false: --no-label. */
  label?: string | false
  actions?: string
  preserve?: boolean
  json?: boolean
}

const answers = ['act', 'hold'] as const

export function addBankPolicy(command: Command, io: Io): void {
  const create = command
    .command('create')
    .description('make a bank')
    .argument('<NAME>', 'UPPER_WITH_UNDERSCORE')
    .option(
      '--mode <MODE>',
      `${modes.join(', ')}; the deployment's own mode is the upper bound`,
      'observe',
    )
    .option(
      '--class <CLASS>',
      'restricted (child abuse, intimate images, lists under agreement: nothing published may name it) or open',
      'restricted',
    )
  withExamples(
    addPolicyOptions(create).action((name: string, options: PolicyOptions) =>
      runCreate(io, name, options),
    ),
    [
      'bank create KNOWN_BAD',
      'bank create SPAM --class open --mode act --actions label --label spam --perceptual act',
    ],
  )
  const set = command
    .command('set')
    .description('change a bank; what is not named stays')
    .argument('<NAME>', 'the bank')
    .option('--mode <MODE>', modes.join(', '))
  withExamples(
    addPolicyOptions(set)
      .option('--no-label', 'set no label any more')
      .option('--no-preserve', 'no evidence is asked for')
      .action((name: string, options: PolicyOptions) => runSet(io, name, options)),
    ['bank set KNOWN_BAD --mode act', 'bank set SPAM --pdq-distance 20 --perceptual hold'],
  )
}

function addPolicyOptions(command: Command): Command {
  return command
    .option('--exact <ACT>', 'what an equal digest does in mode act: act or hold')
    .option('--perceptual <ACT>', 'what a PDQ match does in mode act: act or hold')
    .option('--pdq-distance <N>', 'the largest PDQ distance that matches, 0 to 31')
    .option('--actions <LIST>', `with commas: ${actionKinds.join(', ')}`)
    .option('--label <VALUE>', 'the label on records; open banks only')
    .option('--preserve', 'evidence is kept before a takedown; without a vault such a bank holds')
    .option('--json', 'print the result as JSON')
}

async function runCreate(io: Io, name: string, options: PolicyOptions): Promise<void> {
  const mode = parseOneOf(options.mode ?? 'observe', '--mode', modes)
  const bankClass = parseOneOf(options.class ?? 'restricted', '--class', bankClasses)
  const policy = parsePolicy(options)
  await withSession(io, async (session) => {
    const { bank } = await createBank(session.db, {
      name,
      mode,
      class: bankClass,
      policy,
      principal: await session.principal(),
      nowMs: session.nowMs(),
    })
    if (options.json === true) printJson(io, { bank: name, id: bank, mode, class: bankClass })
    else io.out(`bank ${name} made: ${bankClass}, mode ${mode}. Next: bank add ${name} FILE…`)
  })
}

async function runSet(io: Io, name: string, options: PolicyOptions): Promise<void> {
  const { label, ...change } = parsePolicy(options)
  const mode = options.mode === undefined ? undefined : parseOneOf(options.mode, '--mode', modes)
  const changesPolicy = Object.keys(change).length > 0 || options.label !== undefined
  if (mode === undefined && !changesPolicy) {
    throw new UsageError('nothing to change: name a mode or a part of the policy (--help)')
  }
  await withSession(io, async (session) => {
    const { version: _, label: labelBefore, ...before } = (await bankNamed(session.db, name)).policy
    const labelAfter = options.label === false ? undefined : (label ?? labelBefore)
    await setBank(session.db, {
      name,
      ...(mode !== undefined && { mode }),
      ...(changesPolicy && {
        policy: { ...before, ...change, ...(labelAfter !== undefined && { label: labelAfter }) },
      }),
      principal: await session.principal(),
      nowMs: session.nowMs(),
    })
    const after = await bankNamed(session.db, name)
    if (options.json === true) printJson(io, { bank: after })
    else
      io.out(
        `bank ${name} changed: mode ${after.mode}, policy ${after.policy.version}, in force within a second.`,
      )
  })
}

function parsePolicy(options: PolicyOptions): Partial<Omit<BankPolicy, 'version'>> {
  const { exact, perceptual, pdqDistance, label, actions, preserve } = options
  return {
    ...(exact !== undefined && { exact: parseOneOf(exact, '--exact', answers) }),
    ...(perceptual !== undefined && {
      perceptual: parseOneOf(perceptual, '--perceptual', answers),
    }),
    ...(pdqDistance !== undefined && {
      pdqDistanceMax: parseWhole(pdqDistance, '--pdq-distance', { min: 0, max: 31 }),
    }),
    ...(typeof label === 'string' && { label }),
    ...(actions !== undefined && { actions: parseList(actions, '--actions', actionKinds) }),
    ...(preserve !== undefined && { preserve }),
  }
}
