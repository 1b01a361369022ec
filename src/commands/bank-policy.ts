// bank create and bank set: what a bank is and what its matches may do.
import type { Command } from 'commander'
import { distanceWarning } from '../banks/bank-policy.ts'
import type { PolicyInput } from '../banks/bank-policy.ts'
import { bankNamed, createBank, setBank } from '../banks/bank-store.ts'
import type { Database } from '../db/client.ts'
import { actionKinds, bankClasses, distanceBounds, modes } from '../domain/bank.ts'
import { UsageError } from '../domain/errors.ts'
import type { Io } from './io.ts'
import { withExamples } from './examples.ts'
import { printJson } from './output.ts'
import { parseList, parseOneOf, parseWhole } from './parse.ts'
import { withSession } from './session.ts'

export type PolicyOptions = {
  mode?: string
  class?: string
  exact?: string
  perceptual?: string
  pdqDistance?: string
  clipDistance?: string
  ratio?: string
  ratioSeed?: string
  /** false: --no-suppresses. */
  suppresses?: string | false
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
      'bank create HARMLESS --class open --suppresses ALL',
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
      .option('--no-suppresses', 'an ordinary bank again: its matches count')
      .action((name: string, options: PolicyOptions) => runSet(io, name, options)),
    [
      'bank set KNOWN_BAD --mode act',
      'bank set SPAM --pdq-distance 20 --perceptual hold',
      'bank set SPAM --ratio 0.1 --ratio-seed autumn',
      'bank set HARMLESS --suppresses SPAM,SCAMS',
    ],
  )
}

export function addPolicyOptions(command: Command): Command {
  return command
    .option('--exact <ACT>', 'what an equal digest does in mode act: act or hold')
    .option('--perceptual <ACT>', 'what a PDQ match does in mode act: act or hold')
    .option(
      '--pdq-distance <N>',
      `the largest PDQ distance that matches, 0 to ${distanceBounds.pdq}; over 31 it is searched by a scan, slower`,
    )
    .option('--clip-distance <N>', `the same for CLIP, 0 to ${distanceBounds.clip}`)
    .option('--ratio <SHARE>', 'the share of blobs that are compared with it, 0 to 1: a trial')
    .option('--ratio-seed <TEXT>', 'another seed is another share of the blobs')
    .option(
      '--suppresses <BANKS>',
      'a bank of harmless pictures: what it matches keeps ALL banks, or those named with commas, from matching',
    )
    .option('--actions <LIST>', `with commas: ${actionKinds.join(', ')}`)
    .option('--label <VALUE>', 'the label on records; open banks only')
    .option('--preserve', 'evidence is kept before a takedown; without a vault such a bank holds')
    .option('--json', 'print the result as JSON')
}

async function runCreate(io: Io, name: string, options: PolicyOptions): Promise<void> {
  const mode = parseOneOf(options.mode ?? 'observe', '--mode', modes)
  const bankClass = parseOneOf(options.class ?? 'restricted', '--class', bankClasses)
  await withSession(io, async (session) => {
    const policy = await readPolicy(session.db, options)
    const { bank } = await createBank(session.db, {
      name,
      mode,
      class: bankClass,
      policy,
      principal: await session.principal(),
      nowMs: session.nowMs(),
    })
    warn(io, policy)
    if (options.json === true) printJson(io, { bank: name, id: bank, mode, class: bankClass })
    else {
      io.out(`bank ${name} made: ${bankClass}, mode ${mode}. Next: bank add ${name} FILE…`)
      if (policy.suppresses !== undefined) io.out(negativeSentence)
    }
  })
}

async function runSet(io: Io, name: string, options: PolicyOptions): Promise<void> {
  const mode = options.mode === undefined ? undefined : parseOneOf(options.mode, '--mode', modes)
  await withSession(io, async (session) => {
    const change = await readPolicy(session.db, options)
    const removed = (['label', 'suppresses'] as const).filter((part) => options[part] === false)
    const changesPolicy = Object.keys(change).length + removed.length > 0
    if (mode === undefined && !changesPolicy) {
      throw new UsageError('nothing to change: name a mode or a part of the policy (--help)')
    }
    const { version: _, ...policy } = { ...(await bankNamed(session.db, name)).policy, ...change }
    for (const part of removed) delete policy[part]
    await setBank(session.db, {
      name,
      ...(mode !== undefined && { mode }),
      ...(changesPolicy && { policy }),
      principal: await session.principal(),
      nowMs: session.nowMs(),
    })
    warn(io, change)
    const after = await bankNamed(session.db, name)
    if (options.json === true) printJson(io, { bank: after })
    else {
      io.out(
        `bank ${name} changed: mode ${after.mode}, policy ${after.policy.version}, in force within a second.`,
      )
      if (change.suppresses !== undefined) io.out(negativeSentence)
      if (options.suppresses === false && after.policy.actions.length === 0)
        io.out('It asks for no action: bank set --actions says which.')
    }
  })
}

const negativeSentence =
  'It is a bank of harmless pictures: its matches ask for nothing and set the matches of other banks aside.'

function warn(io: Io, policy: Partial<PolicyInput>): void {
  const warning = distanceWarning(policy.pdqDistanceMax ?? 0)
  if (warning !== undefined) io.err(`note: ${warning}.`)
  if (policy.ratio !== undefined && policy.ratio < 1)
    io.err(
      `note: ${Math.round((1 - policy.ratio) * 1000) / 10}% of the blobs are not compared with this bank.`,
    )
}

/** What was named, and nothing else. */
export async function readPolicy(
  db: Database,
  options: PolicyOptions,
): Promise<Partial<PolicyInput>> {
  const { exact, perceptual, pdqDistance, clipDistance, ratio, ratioSeed } = options
  const { label, actions, preserve, suppresses } = options
  const asks = actions !== undefined || typeof label === 'string' || preserve === true
  if (typeof suppresses === 'string' && asks) {
    throw new UsageError(
      'a bank that suppresses others never acts: no --actions, --label, --preserve',
    )
  }
  return {
    ...(exact !== undefined && { exact: parseOneOf(exact, '--exact', answers) }),
    ...(perceptual !== undefined && {
      perceptual: parseOneOf(perceptual, '--perceptual', answers),
    }),
    ...(pdqDistance !== undefined && {
      pdqDistanceMax: parseWhole(pdqDistance, '--pdq-distance', {
        min: 0,
        max: distanceBounds.pdq,
      }),
    }),
    ...(clipDistance !== undefined && {
      clipDistanceMax: parseWhole(clipDistance, '--clip-distance', {
        min: 0,
        max: distanceBounds.clip,
      }),
    }),
    ...(ratio !== undefined && { ratio: parseShare(ratio) }),
    ...(ratioSeed !== undefined && { ratioSeed }),
    ...(typeof suppresses === 'string' && { suppresses: await readBanks(db, suppresses) }),
    ...(typeof label === 'string' && { label }),
    ...(actions !== undefined && { actions: parseList(actions, '--actions', actionKinds) }),
    ...(preserve !== undefined && { preserve }),
  }
}

function parseShare(text: string): number {
  const share = Number(text)
  if (!/^\d(\.\d{1,6})?$/.test(text) || share > 1) {
    throw new UsageError('--ratio is a number from 0 to 1, like 0.25')
  }
  return share
}

async function readBanks(db: Database, text: string): Promise<'all' | number[]> {
  if (text === 'ALL') return 'all'
  const names = [...new Set(text.split(',').map((name) => name.trim()))]
  const ids: number[] = []
  for (const name of names) ids.push((await bankNamed(db, name)).id)
  return ids
}
