// reverse: takes back what a content, a bank, a principal, a key or a time range caused. It shows first what it would do.
import type { Command } from 'commander'
import { contentHead, openReversal, reversalHead } from '../cases/reversal.ts'
import { UsageError } from '../domain/errors.ts'
import type { Database } from '../db/client.ts'
import { previewReversal, runReversal, startReversal } from '../steps/reverse.ts'
import type { ReversalPreview, ReversalScope } from '../steps/reverse.ts'
import { askPerson } from './bank-ask.ts'
import { exitCodes } from './exit-codes.ts'
import type { Io } from './io.ts'
import { withExamples } from './examples.ts'
import { count, printJson } from './output.ts'
import { parseWhole } from './parse.ts'
import { addReverseShow, tellResult } from './reverse-show.ts'
import { scopeOf } from './reverse-scope.ts'
import type { ScopeWords } from './reverse-scope.ts'
import { previewForMachines, printPreview } from './reverse-preview.ts'
import { withSession } from './session.ts'
import type { CommandSession } from './session.ts'

/** More are taken back only when the number was typed. */
const untypedActionsMax = 100
const reasonCharsMax = 2000

type ReverseOptions = ScopeWords & {
  reason?: string
  disable?: boolean
  dryRun?: boolean
  actions?: string
  continue?: string
  json?: boolean
}

export function addReverse(program: Command, io: Io): void {
  const command = program
    .command('reverse')
    .description(
      'take back what a content, a bank, a person, a key or a time caused, where nothing else wants it; shows first what it would do',
    )
    .option('--content <ID>', 'what this content caused')
    .option('--bank <NAME>', 'what the contents of this bank caused')
    .option(
      '--principal <NAME>',
      'what contents added, and cases confirmed, by this person or service caused',
    )
    .option('--key <KEYID>', 'the same of the owner of this key, while it was valid')
    .option(
      '--since <WHEN>',
      'released since then: a span back from now (2d, 12h) or a day; also alone',
    )
    .option('--until <WHEN>', 'released until then')
    .option('--reason <TEXT>', 'why; kept sealed behind the ledger entry')
    .option('--disable', 'first disable the contents that caused it: otherwise they act again')
    .option('--actions <N>', `the number of actions, where they are more than ${untypedActionsMax}`)
    .option('--dry-run', 'show what would be done, and do nothing')
    .option('--continue <ID>', 'go on with a run that was stopped or killed')
    .option('--json', 'print the result as JSON')
    .action((options: ReverseOptions) => runReverse(io, options))
  withExamples(command, [
    'reverse --content 12 --disable --dry-run',
    'reverse --bank SPAM --since 2d --disable --actions 312',
    'reverse --since 3h --until 1h --reason "wrong list"',
    'reverse --continue 4',
  ])
  addReverseShow(command, io)
}

async function runReverse(io: Io, options: ReverseOptions): Promise<void> {
  const reason = options.reason?.trim()
  if (reason !== undefined && (reason === '' || reason.length > reasonCharsMax))
    throw new UsageError(`a reason has 1 to ${reasonCharsMax} characters`)
  await withSession(io, async (session) => {
    if (options.continue !== undefined) {
      await goOn(io, session, await continued(session.db, options), options)
      return
    }
    const scope = await scopeOf(session.db, options, session.nowMs())
    const open = await openReversal(session.db, scope.as)
    if (open !== undefined && options.dryRun !== true) {
      io.err(
        `Reversal ${open.id} was asked for in the same words and is still open: going on with it.`,
      )
      await goOn(io, session, open, options)
      return
    }
    const preview = await previewed(io, session, scope, options)
    if (preview !== undefined) await start(io, session, scope, preview, options, reason)
  })
}

/** undefined: shown, and that was all that was asked for or is to do. */
async function previewed(
  io: Io,
  session: CommandSession,
  scope: ReversalScope,
  options: ReverseOptions,
): Promise<ReversalPreview | undefined> {
  const { db } = session
  const preview = await previewReversal(db, {
    scope,
    nowMs: session.nowMs(),
    signal: io.stop,
    onLooked: (actions) => {
      if (actions >= 5000) io.err(`${actions} actions looked at`)
    },
  })
  const content = scope.content === undefined ? undefined : await contentHead(db, scope.content)
  const disables =
    options.disable === true && content?.disabled !== true && content?.removed !== true
  const isOver = options.dryRun === true || (preview.actions === 0 && !disables)
  if (options.json === true) {
    if (isOver)
      printJson(io, {
        dryRun: options.dryRun === true,
        ...(await previewForMachines(db, scope, preview)),
      })
  } else {
    await printPreview(io, db, { scope, preview, content, disables: options.disable === true })
    if (options.dryRun === true) io.out('Nothing was done: this was a dry run.')
  }
  return isOver ? undefined : preview
}

async function start(
  io: Io,
  session: CommandSession,
  scope: ReversalScope,
  preview: ReversalPreview,
  options: ReverseOptions,
  reason: string | undefined,
): Promise<void> {
  if (preview.actions > untypedActionsMax || options.actions !== undefined)
    await typedCount(io, preview.actions, options.actions)
  const started = await startReversal(session.db, {
    scope,
    disables: options.disable === true,
    preview,
    ...(reason !== undefined && { reason }),
    principal: await session.principal(),
    nowMs: session.nowMs(),
  })
  if (started.reopened > 0)
    io.err(
      `${count(started.reopened, 'case')} that only they had confirmed ${started.reopened === 1 ? 'is' : 'are'} open again: case list`,
    )
  await goOn(io, session, await reversalHead(session.db, started.reversal), options)
}

/** Throws UsageError unless exactly this number was typed, as an option or on the terminal. */
async function typedCount(io: Io, actions: number, option: string | undefined): Promise<void> {
  const typed =
    option ??
    (await askPerson(io, `These are ${actions} actions. Type the number to take them back:`))
  if (typed === undefined)
    throw new UsageError(`these are ${actions} actions: say so with --actions ${actions}`)
  const number = parseWhole(typed, '--actions', { min: 0, max: Number.MAX_SAFE_INTEGER })
  if (number !== actions)
    throw new UsageError(`there are ${actions} actions, not ${number}: nothing was done`)
}

async function goOn(
  io: Io,
  session: CommandSession,
  reversal: { id: number; disables: boolean },
  options: ReverseOptions,
): Promise<void> {
  const { db } = session
  let told = 0
  const run = await runReversal(db, {
    reversal: reversal.id,
    disables: reversal.disables,
    principal: await session.principal(),
    clock: session.nowMs,
    signal: io.stop,
    onBatch: ({ outcomes }) => {
      const looked = Object.values(outcomes).reduce((sum, n) => sum + n, 0)
      if (looked - told < 500) return
      told = looked
      io.err(`${looked} actions done`)
    },
  })
  if (!run.ended) {
    io.err(
      `Stopped in between; what was done is done. Go on with: reverse --continue ${reversal.id}`,
    )
    io.setExitCode(exitCodes.interrupted)
  }
  await tellResult(io, db, {
    reversal: reversal.id,
    nowMs: session.nowMs(),
    json: options.json === true,
  })
}

async function continued(db: Database, options: ReverseOptions) {
  const { continue: id = '', json: _, actions: __, ...others } = options
  if (Object.keys(others).length > 0)
    throw new UsageError(
      '--continue goes on as the run was started: it takes no other option but --json',
    )
  const head = await reversalHead(db, parseWhole(id, '--continue', { min: 1, max: 2_147_483_647 }))
  if (head.endedAt !== null)
    throw new UsageError(
      `reversal ${head.id} has ended: reverse show ${head.id} tells how it stands`,
    )
  return head
}
