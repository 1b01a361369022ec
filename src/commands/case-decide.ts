// case confirm, release, overturn, note: a person's word, one statement with its ledger intake. It is kept as feedback
// about the contents behind the match, and changes them only where the person says so.
import type { Command } from 'commander'
import type { CaseContent } from '../cases/feedback.ts'
import { pausesInForce } from '../cases/pauses.ts'
import { UsageError } from '../domain/errors.ts'
import { contentsNamedMax, takeWord } from '../roles/decide-case.ts'
import type { CaseVerb, ContentChange, Decided } from '../steps/withdraw.ts'
import type { Io } from './io.ts'
import { parseCase } from './case-show.ts'
import { withExamples } from './examples.ts'
import { count, printJson, shortTime } from './output.ts'
import { parseDuration, parseWhole } from './parse.ts'
import { withSession } from './session.ts'
import type { CommandSession } from './session.ts'

type DecideOptions = {
  note?: string
  moveTo?: string
  disable?: boolean
  disableFor?: string
  content?: string[]
  withoutEvidence?: boolean
  json?: boolean
}

export const noteCharsMax = 2000

const verbs = {
  confirm: 'it is what it matched: do what waits',
  release:
    'it is not, or nothing shall be done: what waits ends, and nothing is done about it again',
  overturn: 'it was wrong: take back what was done',
} as const satisfies Partial<Record<CaseVerb, string>>

export function addCaseVerbs(command: Command, io: Io): void {
  for (const [verb, description] of Object.entries(verbs)) {
    const added = command
      .command(verb)
      .description(description)
      .argument('<NUMBER>', 'the case')
      .option('--note <TEXT>', 'why; kept sealed behind the ledger entry')
    addChange(added, verb)
      .option('--json', 'print the result as JSON')
      .action((number: string, options: DecideOptions) =>
        decide(io, number, verb as CaseVerb, options),
      )
    withExamples(added, [
      `case ${verb} 7`,
      `case ${verb} 7 --note "asked the account's owner"`,
      verb === 'confirm'
        ? 'case confirm 7 --move-to CONFIRMED'
        : `case ${verb} 7 --disable-for 30d`,
    ])
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

function addChange(command: Command, verb: string): Command {
  if (verb === 'confirm') {
    return command
      .option('--move-to <BANK>', 'move the contents behind the match to this bank')
      .option(
        '--without-evidence',
        'confirm although nothing was kept where a bank asks for it; the ledger says so',
      )
      .option('--content <ID...>', 'of several contents, only these')
  }
  return command
    .option('--disable', 'the content was wrong: it matches nothing from now on')
    .option('--disable-for <SPAN>', 'the same for a time: 12h, 30d, …')
    .option('--content <ID...>', 'of several contents, the ones that were wrong')
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
    const change = changeOf(options, session.nowMs())
    const word = await takeWord({
      db: session.db,
      caseNumber,
      verb,
      principal: await session.principal(),
      ...(note !== undefined && { note }),
      ...(change && { change }),
      hasVault: session.config.evidence !== undefined,
      acceptsMissingEvidence: options.withoutEvidence === true,
      nowMs: session.nowMs(),
    })
    if (word.kind === 'several-contents')
      throw new UsageError(severalTold(caseNumber, word.contents))
    if (word.kind === 'without-evidence')
      throw new UsageError(
        `nothing was kept of ${count(word.blobs, 'blob')} in case ${caseNumber}, and its bank asks for evidence: the case is older than the vault, or the bytes could not be had. ` +
          'To confirm all the same: --without-evidence. Nothing was decided.',
      )
    const { decided } = word
    if (options.json === true) {
      printJson(io, { case: caseNumber, verb, ...decided })
      return
    }
    io.out(`case ${caseNumber}: ${await told(session, verb, decided)}`)
    for (const line of furtherTold(decided, change)) io.out(line)
  })
}

function changeOf(options: DecideOptions, nowMs: number): ContentChange | undefined {
  const { moveTo, disable, disableFor } = options
  const contents = options.content?.map((text) =>
    parseWhole(text, '--content', { min: 1, max: 2_147_483_647 }),
  )
  const named = contents && { contents }
  if (disable === true && disableFor !== undefined)
    throw new UsageError('--disable is for good and --disable-for for a time: one of them')
  if (moveTo !== undefined) return { ...named, moveTo }
  if (disable === true) return { ...named, disableUntilTs: 0 }
  if (disableFor !== undefined) {
    const untilMs = nowMs + parseDuration(disableFor, '--disable-for')
    return { ...named, disableUntilTs: Math.ceil(untilMs / 1000) }
  }
  if (contents !== undefined)
    throw new UsageError(
      '--content says which contents --move-to, --disable or --disable-for is about',
    )
  return undefined
}

function severalTold(caseNumber: number, contents: CaseContent[]): string {
  const listed = contents.slice(0, contentsNamedMax).map(contentTold).join(', ')
  const more = contents.length > contentsNamedMax ? ', and more' : ''
  return `several contents matched in case ${caseNumber}: ${listed}${more}. Say with --content which of them were wrong; nothing was decided.`
}

function contentTold({ content, bank, blobs }: CaseContent): string {
  return `${content} of ${bank} (${count(blobs, 'blob')})`
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

/** What stays although it was let go, and what became of the contents. */
function furtherTold(decided: Decided, change: ContentChange | undefined): string[] {
  const { stays, wantedBy, changed } = decided
  const lines: string[] = []
  if (stays > 0) {
    const cases = `case${wantedBy.length === 1 ? '' : 's'} ${wantedBy.join(', ')}`
    lines.push(
      `${count(stays, 'action')} ${stays === 1 ? 'stays' : 'stay'} as ${stays === 1 ? 'it is' : 'they are'}: another picture of the same record is in ${cases}, which was not released.`,
    )
  }
  if (change === undefined) return lines
  if (changed.length === 0) return [...lines, 'No content had to be changed.']
  const which = `content${changed.length === 1 ? '' : 's'} ${changed.join(', ')}`
  if ('moveTo' in change) return [...lines, `In ${change.moveTo} now: ${which}.`]
  const until = change.disableUntilTs
  const when = until === 0 ? 'until bank enable' : `until ${shortTime(new Date(until * 1000))}`
  return [
    ...lines,
    `Disabled ${when}: ${which}. What else it caused stays: reverse takes that back.`,
  ]
}

async function leaving({ db, config }: CommandSession): Promise<string> {
  const pauses = await pausesInForce(db)
  if (pauses.length > 0) return 'actions are paused: nothing leaves until resume.'
  const { takedownsPerDay, labelsPerDay } = config.limits
  return `a running service sends them, within ${takedownsPerDay} takedowns and ${labelsPerDay} labels in 24 h.`
}
