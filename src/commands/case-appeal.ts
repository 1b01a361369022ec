// case appeal: an objection came in, and what became of it (DSA art. 20). An upheld one is put right by the steps there are.
import type { Command } from 'commander'
import { appealsOf } from '../cases/appeals.ts'
import type { AppealRow } from '../cases/appeals.ts'
import { caseHead } from '../cases/case-file.ts'
import type { CaseState } from '../cases/case-list.ts'
import { UsageError } from '../domain/errors.ts'
import { appealOutcomes, receiveAppeal, resolveAppeal } from '../steps/appeal.ts'
import { decideCase } from '../steps/withdraw.ts'
import type { Decided } from '../steps/withdraw.ts'
import type { Io } from './io.ts'
import { noteCharsMax } from './case-decide.ts'
import { parseCase } from './case-show.ts'
import { withExamples } from './examples.ts'
import { count, printJson } from './output.ts'
import { parseMoment, parseOneOf, parseWhole } from './parse.ts'
import { withSession } from './session.ts'
import type { CommandSession } from './session.ts'

type AppealOptions = {
  note?: string
  received?: string
  resolve?: string
  appeal?: string
  overturn?: boolean
  json?: boolean
}

export function addCaseAppeal(command: Command, io: Io): void {
  withExamples(
    command
      .command('appeal')
      .description('somebody objects: write it down, and later with --resolve what became of it')
      .argument('<NUMBER>', 'the case')
      .option('--note <TEXT>', 'what was said; kept sealed behind the ledger entry')
      .option('--received <WHEN>', 'when it came in: 2026-11-01T12:00Z, 2026-11-01, or 2d back')
      .option('--resolve <OUTCOME>', `${appealOutcomes.join(' or ')}: the appeal is decided`)
      .option('--appeal <ID>', 'with --resolve: which, when several are open')
      .option('--overturn', 'with --resolve upheld: overturn the case at once')
      .option('--json', 'print the result as JSON')
      .action((number: string, options: AppealOptions) => run(io, number, options)),
    [
      'case appeal 7 --note "says that it is her own photograph" --received 2026-11-01',
      'case appeal 7 --resolve upheld --note "she is right" --overturn',
      'case appeal 7 --resolve rejected --note "looked at again, it is the same"',
    ],
  )
}

async function run(io: Io, number: string, options: AppealOptions): Promise<void> {
  const caseNumber = parseCase(number)
  checkOptions(options)
  await withSession(io, (session) =>
    options.resolve === undefined
      ? runReceive(io, session, caseNumber, options)
      : runResolve(io, session, caseNumber, options),
  )
}

function checkOptions({ note, received, resolve, appeal, overturn }: AppealOptions): void {
  if (note !== undefined && (note.trim() === '' || note.length > noteCharsMax))
    throw new UsageError(`a note has 1 to ${noteCharsMax} characters`)
  if (resolve === undefined && (appeal !== undefined || overturn === true))
    throw new UsageError('--appeal and --overturn go with --resolve')
  if (resolve === undefined && note === undefined)
    throw new UsageError('--note says what the appeal is about')
  if (resolve !== undefined && received !== undefined)
    throw new UsageError('--received says when an appeal came in: not with --resolve')
  if (overturn === true && resolve !== 'upheld')
    throw new UsageError('--overturn goes with --resolve upheld')
}

async function runReceive(
  io: Io,
  session: CommandSession,
  caseNumber: number,
  options: AppealOptions,
): Promise<void> {
  const { received } = options
  const nowMs = session.nowMs()
  const appealed = await receiveAppeal(session.db, {
    caseNumber,
    ...(options.note !== undefined && { note: options.note }),
    ...(received !== undefined && {
      receivedMs: parseMoment(received, '--received', nowMs).getTime(),
    }),
    principal: await session.principal(),
    nowMs,
  })
  if (options.json === true) printJson(io, { case: caseNumber, ...appealed })
  else {
    io.out(
      `case ${caseNumber}: appeal ${appealed.appeal} is written down. It is ${appealed.state}.`,
    )
    io.out(`Decide it with case appeal ${caseNumber} --resolve upheld or rejected.`)
  }
}

/** The overturn comes first: what is killed in between leaves the appeal open, and the same command ends it. */
async function runResolve(
  io: Io,
  session: CommandSession,
  caseNumber: number,
  options: AppealOptions,
): Promise<void> {
  const { db } = session
  const outcome = parseOneOf(options.resolve ?? '', '--resolve', appealOutcomes)
  const appeal =
    options.appeal === undefined
      ? undefined
      : parseWhole(options.appeal, '--appeal', { min: 1, max: 2_147_483_647 })
  const { state } = await caseHead(db, caseNumber)
  const open = (await appealsOf(db, caseNumber)).filter((row) => row.outcome === null)
  refuseNotOpen(caseNumber, open, appeal)
  const said = {
    caseNumber,
    ...(options.note !== undefined && { note: options.note }),
    principal: await session.principal(),
    nowMs: session.nowMs(),
  }
  const overturned =
    options.overturn === true ? await overturn(session, { ...said, state }) : undefined
  const resolved = await resolveAppeal(db, {
    ...said,
    outcome,
    ...(appeal !== undefined && { appeal }),
  })
  const { state: after } = await caseHead(db, caseNumber)
  if (options.json === true) {
    printJson(io, {
      case: caseNumber,
      outcome,
      ...resolved,
      ...(overturned && { overturned }),
    })
    return
  }
  io.out(`case ${caseNumber}: appeal ${resolved.appeal} is ${outcome}.`)
  if (overturned !== undefined)
    io.out(`case ${caseNumber}: overturned. ${count(overturned.actions, 'action')} taken back.`)
  else if (outcome === 'upheld') io.out(nextStep(caseNumber, after))
}

/** Before anything is done: an overturn for an appeal that nobody made would be one without a reason. */
function refuseNotOpen(caseNumber: number, open: AppealRow[], appeal: number | undefined): void {
  if (open.length === 0) throw new UsageError(`no appeal against case ${caseNumber} is open`)
  if (appeal === undefined && open.length > 1) {
    const ids = open.map((row) => row.id).join(', ')
    throw new UsageError(
      `appeals ${ids} against case ${caseNumber} are open: say which with --appeal`,
    )
  }
  if (appeal !== undefined && !open.some((row) => row.id === appeal))
    throw new UsageError(`appeal ${appeal} against case ${caseNumber} is not open`)
}

async function overturn(
  { db }: CommandSession,
  input: {
    caseNumber: number
    state: CaseState
    note?: string
    principal: number
    nowMs: number
  },
): Promise<Decided | undefined> {
  const { state, ...said } = input
  if (state === 'overturned') return undefined
  if (state === 'open' || state === 'released')
    throw new UsageError(
      state === 'open'
        ? `case ${said.caseNumber} is open, nothing was done yet: case release ${said.caseNumber} lets it be`
        : `case ${said.caseNumber} is released already: there is nothing to overturn`,
    )
  return decideCase(db, { ...said, verb: 'overturn' })
}

function nextStep(caseNumber: number, state: CaseState): string {
  switch (state) {
    case 'acted':
    case 'confirmed':
      return `What was done still stands: case overturn ${caseNumber} takes it back.`
    case 'open':
      return `What waits still waits: case release ${caseNumber} lets it be.`
    case 'released':
    case 'overturned':
      return `It is ${state}: nothing is left to take back.`
    default:
      return state satisfies never
  }
}
