// policy dry-run: what the last days would have looked like if a bank had other settings. Changes nothing.
import type { Command } from 'commander'
import { readBanks } from '../banks/bank-loader-head.ts'
import { parsePolicy } from '../banks/bank-policy.ts'
import { bankNamed } from '../banks/bank-store.ts'
import type { Config } from '../config.ts'
import { actionKinds, lowerMode, modes } from '../domain/bank.ts'
import type { Bank, Mode } from '../domain/bank.ts'
import { UsageError } from '../domain/errors.ts'
import { isNegative } from '../domain/gate.ts'
import { bankHits } from '../roles/bank-hits.ts'
import { replayPolicy } from '../roles/policy-replay.ts'
import type { Replay } from '../roles/policy-replay.ts'
import type { ReplaySum } from '../roles/replay-sum.ts'
import { windowStart } from '../roles/seen-window.ts'
import { addPolicyOptions, readPolicy } from './bank-policy.ts'
import type { PolicyOptions } from './bank-policy.ts'
import type { Io } from './io.ts'
import { withExamples } from './examples.ts'
import { count, printJson, printTable, shortTime } from './output.ts'
import { parseOneOf, parseSince } from './parse.ts'
import { scanProgress } from './scan-progress.ts'
import { withSession } from './session.ts'
import type { CommandSession } from './session.ts'

type DryRunOptions = PolicyOptions & { deployment?: string; since: string }

export function addPolicy(program: Command, io: Io): void {
  const command = program.command('policy').description('try settings of a bank on what happened')
  const dryRun = command
    .command('dry-run')
    .description(
      'what the last days would have looked like if the bank had these settings; changes nothing',
    )
    .argument('<NAME>', 'the bank')
    .option('--mode <MODE>', modes.join(', '))
  withExamples(
    addPolicyOptions(dryRun)
      .option('--no-label', 'without its label')
      .option('--no-preserve', 'without asking for evidence')
      .option('--no-suppresses', 'as an ordinary bank')
      .option('--deployment <MODE>', "as if this were the deployment's own mode")
      .option('--since <WHEN>', 'a span back from now (7d, 12h) or a day (2026-11-01)', '30d')
      .action((name: string, options: DryRunOptions) => run(io, name, options)),
    [
      'policy dry-run SPAM --mode act --deployment act',
      'policy dry-run SPAM --pdq-distance 20 --since 7d',
      'policy dry-run KNOWN_BAD --ratio 0.5 --json',
    ],
  )
}

async function run(io: Io, name: string, options: DryRunOptions): Promise<void> {
  await withSession(io, async (session) => {
    const { db, config, nowMs } = session
    const asked = parseSince(options.since, '--since', nowMs())
    const kept = windowStart(config.keepDays, nowMs())
    const since = asked < kept ? kept : asked
    if (asked < kept)
      io.err(
        `note: sightings are kept for ${count(config.keepDays, 'day')}; looking back that far.`,
      )
    const before = await bankNamed(db, name)
    const after = await changed(session, before, options)
    const deploymentMode: Mode =
      options.deployment === undefined
        ? config.mode
        : parseOneOf(options.deployment, '--deployment', modes)
    const looksFarther = after.policy.pdqDistanceMax > before.policy.pdqDistanceMax
    const extra =
      looksFarther || isNegative(before)
        ? await bankHits({
            db,
            bank: before.id,
            pdqDistanceMax: Math.max(after.policy.pdqDistanceMax, before.policy.pdqDistanceMax),
            onProgress: scanProgress(io, 'blobs compared'),
            signal: io.stop,
          })
        : new Map()
    const now = await readBanks(db)
    const replay = await replayPolicy({
      db,
      now,
      then: new Map(now).set(before.id, after),
      extra,
      situation: {
        deploymentMode,
        canLabel: config.labeler !== undefined,
        canPreserve: config.evidence !== undefined,
        administered: config.pds !== undefined,
      },
      since,
      actionsPerContent: config.limits.actionsPerContent,
      nowMs: nowMs(),
      signal: io.stop,
    })
    if (options.json === true) {
      const bank = { name, mode: after.mode, policy: after.policy }
      printJson(io, { bank, deploymentMode, since, compared: extra.size > 0, ...replay })
    } else print(io, replay, { name, since, deploymentMode, after, limits: config.limits })
  })
}

/** The bank as it would be. Throws UsageError where it could not be so, or nothing would be changed. */
async function changed({ db }: CommandSession, bank: Bank, options: DryRunOptions): Promise<Bank> {
  const change = await readPolicy(db, options)
  const mode = options.mode === undefined ? bank.mode : parseOneOf(options.mode, '--mode', modes)
  const removed = (['label', 'suppresses'] as const).filter((part) => options[part] === false)
  if (options.mode === undefined && Object.keys(change).length + removed.length === 0)
    throw new UsageError('nothing to try: name a mode or a part of the policy (--help)')
  const policy = { ...bank.policy, ...change }
  for (const part of removed) delete policy[part]
  const { version } = bank.policy
  return { ...bank, mode, policy: { ...parsePolicy(policy, bank.class, bank.id), version } }
}

type Shown = {
  name: string
  since: Date
  deploymentMode: Mode
  after: Bank
  limits: Config['limits']
}

function print(io: Io, { now, then }: Replay, shown: Shown): void {
  const { name, since, deploymentMode, after, limits } = shown
  io.out(`All matches since ${shortTime(since)}, with ${name} as it is and as it would be:`)
  const rows: [string, (sum: ReplaySum) => number | string][] = [
    ['blobs that match', (sum) => sum.matched],
    ['blobs set aside (ratio, harmless pictures)', (sum) => sum.setAside],
    ['blobs only observed', (sum) => sum.observed],
    ['blobs held for a person', (sum) => sum.held],
    ['blobs acted on', (sum) => sum.acted],
    ['accounts acted on', (sum) => sum.accountsActed],
    ['accounts held', (sum) => sum.accountsHeld],
    ...actionKinds.flatMap((kind): [string, (sum: ReplaySum) => number][] => [
      [`${kind} at once`, (sum) => sum.actions.acted[kind] ?? 0],
      [`${kind} by a person`, (sum) => sum.actions.held[kind] ?? 0],
    ]),
    ['actions on the busiest day', (sum) => Math.max(0, ...sum.days.map((day) => day.actions))],
    ['contents over the flood limit', (sum) => sum.floods],
  ]
  printTable(
    io,
    rows,
    [
      { head: '', cell: ([what]) => what },
      { head: 'now', cell: ([, of]) => of(now), align: 'right' },
      { head: 'then', cell: ([, of]) => of(then), align: 'right' },
    ],
    '',
  )
  if (lowerMode(deploymentMode, after.mode) === 'observe')
    io.out(
      deploymentMode === 'observe'
        ? 'The deployment only observes, so nothing would be done: --deployment act shows what would be.'
        : `${name} would only observe: --mode act shows what would be done.`,
    )
  if (then.floods > 0)
    io.out(
      `A content may cause ${count(limits.actionsPerContent, 'action')} in 24 hours; ${count(then.floods, 'content')} would have passed that, and the rest would have waited for a person.`,
    )
  io.out(
    `At most ${limits.takedownsPerDay} takedowns and ${limits.labelsPerDay} labels leave in 24 hours. Takedowns are counted as if every account lived on your PDS, and what people decided is left out.`,
  )
}
