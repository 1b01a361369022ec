// case confirm, release, overturn, note: a person's word, one statement with its ledger intake.
import type { Command } from 'commander'
import { pausesInForce } from '../cases/pauses.ts'
import { UsageError } from '../domain/errors.ts'
import { decideCase } from '../steps/withdraw.ts'
import type { CaseVerb } from '../steps/withdraw.ts'
import type { Io } from './io.ts'
import { parseCase } from './case-show.ts'
import { withExamples } from './examples.ts'
import { count, printJson } from './output.ts'
import { withSession } from './session.ts'
import type { CommandSession } from './session.ts'

type DecideOptions = { note?: string; json?: boolean }
type Decided = Awaited<ReturnType<typeof decideCase>>

const noteCharsMax = 2000

const verbs = {
  confirm: 'it is what it matched: do what waits',
  release:
    'it is not, or nothing shall be done: what waits ends, and nothing is done about it again',
  overturn: 'it was wrong: take back what was done',
} as const satisfies Partial<Record<CaseVerb, string>>

export function addCaseVerbs(command: Command, io: Io): void {
  for (const [verb, description] of Object.entries(verbs)) {
    withExamples(
      command
        .command(verb)
        .description(description)
        .argument('<NUMBER>', 'the case')
        .option('--note <TEXT>', 'why; kept sealed behind the ledger entry')
        .option('--json', 'print the result as JSON')
        .action((number: string, options: DecideOptions) =>
          decide(io, number, verb as CaseVerb, options),
        ),
      [`case ${verb} 7`, `case ${verb} 7 --note "asked the account's owner"`],
    )
  }
  withExamples(
    command
      .command('note')
      .description('write something down in a case')
      .argument('<NUMBER>', 'the case')
      .argument('<TEXT>', 'the note')
      .option('--json', 'print the result as JSON')
      .action((number: string, note: string, options: DecideOptions) =>
        decide(io, number, 'note', { ...options, note }),
      ),
    ['case note 7 "same picture as in case 3"'],
  )
}

async function decide(
  io: Io,
  number: string,
  verb: CaseVerb,
  options: DecideOptions,
): Promise<void> {
  const caseNumber = parseCase(number)
  const { note } = options
  if (note !== undefined && (note.trim() === '' || note.length > noteCharsMax)) {
    throw new UsageError(`a note has 1 to ${noteCharsMax} characters`)
  }
  await withSession(io, async (session) => {
    const decided = await decideCase(session.db, {
      caseNumber,
      verb,
      principal: await session.principal(),
      ...(note !== undefined && { note }),
      nowMs: session.nowMs(),
    })
    if (options.json === true) printJson(io, { case: caseNumber, verb, ...decided })
    else io.out(`case ${caseNumber}: ${await told(session, verb, decided)}`)
  })
}

/** What happens next, in one sentence or two. */
async function told(session: CommandSession, verb: CaseVerb, decided: Decided): Promise<string> {
  const { actions, subjects } = decided
  switch (verb) {
    case 'note':
      return `noted. It is ${decided.state}.`
    case 'confirm':
      return actions === 0
        ? `confirmed. No action waited; ${count(subjects, 'subject')} concerned.`
        : `confirmed. ${count(actions, 'action')} released to the ledger; ${await leaving(session)}`
    case 'release':
      return actions === 0
        ? 'released. Nothing waited, and nothing is done about these blobs without a person.'
        : `released. ${count(actions, 'action')} will not happen or will be taken back; nothing is done about these blobs again without a person.`
    case 'overturn':
      return actions === 0
        ? 'overturned. There was nothing to take back.'
        : `overturned. ${count(actions, 'action')} taken back: what was sent is undone where it is still ours, the rest never leaves.`
    default:
      return verb satisfies never
  }
}

async function leaving({ db, config }: CommandSession): Promise<string> {
  const pauses = await pausesInForce(db)
  if (pauses.length > 0) return 'actions are paused: nothing leaves until resume.'
  const { takedownsPerDay, labelsPerDay } = config.limits
  return `a running service sends them, within ${takedownsPerDay} takedowns and ${labelsPerDay} labels in 24 h.`
}
