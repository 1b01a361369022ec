// ledger recover: an operator says that entries which were signed are lost for good. The log goes on under another name.
import type { Command } from 'commander'
import { openSession } from '../db/session.ts'
import { RetryableError, UsageError } from '../domain/errors.ts'
import { toHex } from '../ledger/bytes.ts'
import { nextLogName } from '../ledger/log-name.ts'
import type { LedgerSigner } from '../ledger/signer/signer.ts'
import { openLedgerParts } from '../service-ledger.ts'
import { joinDeployment } from '../service-identity.ts'
import { lockKeys } from '../service-locks.ts'
import { sleep } from '../queue/run-loop.ts'
import { LedgerRefusedError, vetLedger } from '../roles/vet-ledger.ts'
import { leadLedger } from '../steps/append.ts'
import type { LedgerHead } from '../steps/append.ts'
import { recoverLedger } from '../steps/checkpoints.ts'
import { withExamples } from './examples.ts'
import type { Io } from './io.ts'
import { count, printJson } from './output.ts'
import { withSession } from './session.ts'
import type { CommandSession } from './session.ts'
import { typedAs } from './typed-as.ts'

type RecoverOptions = { reason?: string; yes?: boolean; json?: boolean }

const lockTries = 20
const lockEveryMs = 500
const namesMax = 1_000

export function addLedgerRecover(command: Command, io: Io): void {
  withExamples(
    command
      .command('recover')
      .description(
        'go on after signed entries were lost for good: the log gets another name, and its first entry says what is missing; without --yes it only tells',
      )
      .option('--reason <TEXT>', 'what happened; it goes into the ledger')
      .option('--yes', 'do it')
      .option('--json', 'print the result as JSON')
      .action((options: RecoverOptions) => withSession(io, (session) => run(io, session, options))),
    ['ledger recover', 'ledger recover --reason "disk lost, backup of Tuesday restored" --yes'],
  )
}

async function run(io: Io, session: CommandSession, options: RecoverOptions): Promise<void> {
  const { db, config, database, log } = session
  const reason = options.reason?.trim() ?? ''
  if (options.yes === true && reason === '')
    throw new UsageError('say what happened: --reason "…" goes into the ledger')
  const identity = await joinDeployment(db, config, session.nowMs())
  const { signer, anchors } = await openLedgerParts(config, {
    db,
    log: identity.log,
    nowMs: session.nowMs,
  })
  await using lock = await openSession(database.appAddress, {
    applicationName: 'blobwatch recover',
    log,
  })
  await takeLock(lock.sql)
  const head = await leadLedger(db, identity.log)
  const why = await whyRefused(head, { db, signer, anchors, signal: io.stop, log })
  if (why === undefined) {
    if (options.json === true) printJson(io, { recovered: false, size: head.size })
    else
      io.out(
        `This is the ledger that was signed (${head.size} entries): nothing has to be recovered.`,
      )
    return
  }
  const signed = await signer.head(head.log)
  const next = await freeName(signer, head.log)
  const lost = Math.max(0, (signed?.size ?? 0) - head.size)
  if (options.yes !== true) {
    if (options.json === true)
      printJson(io, {
        recovered: false,
        why,
        size: head.size,
        signed: signed?.size ?? null,
        lost,
        next,
      })
    else tell(io, { why, lost, next })
    return
  }
  const done = await recoverLedger(db, {
    head,
    log: next,
    previousSize: signed?.size ?? head.size,
    previousRoot: toHex(signed?.root ?? new Uint8Array(32)),
    principal: await session.principal(),
    reason,
    nowMs: session.nowMs(),
  })
  if (options.json === true) printJson(io, { recovered: true, lost, ...done })
  else {
    io.out(
      `The ledger goes on as ${done.log}. Its next entry says that ${count(lost, 'signed entry', 'signed entries')} ${lost === 1 ? 'is' : 'are'} lost, and why.`,
    )
    io.out(
      `Label numbers go on from ${done.labelSeq}. A running service goes on within half a minute; else start it.`,
    )
    io.out(
      `Give auditors and witnesses the new key line: ${typedAs(`ledger key --recovered ${done.log.split('-').at(-1)}`)}`,
    )
  }
}

function tell(io: Io, { why, lost, next }: { why: string; lost: number; next: string }): void {
  io.out(why)
  io.out('')
  io.out(
    `${count(lost, 'signed entry', 'signed entries')} ${lost === 1 ? 'is' : 'are'} missing here. If a newer copy of the database exists, bring it back instead: stop the service, restore, start.`,
  )
  io.out(`If they are lost for good: ledger recover --reason "what happened" --yes`)
  io.out(
    `Then the log goes on as ${next}, its first entry says what is missing, and every verifier will show it. That cannot be taken back.`,
  )
}

/** The sentence of the refusal; undefined when the ledger is the one that was signed. */
async function whyRefused(
  head: LedgerHead,
  options: Parameters<typeof vetLedger>[1],
): Promise<string | undefined> {
  try {
    await vetLedger(head, options)
    return undefined
  } catch (error) {
    if (error instanceof LedgerRefusedError) return error.message
    throw error
  }
}

/** A database from before an earlier recovery must not take its name again. */
async function freeName(signer: LedgerSigner, log: string): Promise<string> {
  let name = nextLogName(log)
  for (let tries = 0; tries < namesMax; tries += 1) {
    if ((await signer.head(name)) === undefined) return name
    name = nextLogName(name)
  }
  throw new UsageError(`${namesMax} names after ${log} are taken`)
}

/** A service that refuses tries again every half minute and holds the lock for a moment. */
async function takeLock(sql: CommandSession['db']): Promise<void> {
  for (let tries = 0; tries < lockTries; tries += 1) {
    const [row] = await sql<
      { mine: boolean }[]
    >`select pg_try_advisory_lock(${lockKeys.ledger}) as mine`
    if (row?.mine === true) return
    await sleep(lockEveryMs, new AbortController().signal)
  }
  throw new RetryableError(
    'a running service leads the ledger and appends to it: there is nothing to recover, or stop it first',
  )
}
