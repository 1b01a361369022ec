// bank add: contents come into a bank. Each is tested and compared with what was seen before it goes live (roles/admit.ts).
import type { Command } from 'commander'
import { bankNamed } from '../banks/bank-store.ts'
import { parseMetadata, parseNote } from '../banks/content-words.ts'
import { parseSignal } from '../banks/new-signal.ts'
import type { NewSignal } from '../banks/new-signal.ts'
import type { Bank } from '../domain/bank.ts'
import { signalTypes } from '../domain/blob.ts'
import type { AnySignalType, SignalType } from '../domain/blob.ts'
import { UsageError } from '../domain/errors.ts'
import type { OtherTypes } from '../domain/other-type.ts'
import { otherTypesOf } from '../plugins/plugin-hasher.ts'
import { admit, examine } from '../roles/admit.ts'
import type { Admitted, Examined } from '../roles/admit.ts'
import { askPerson } from './bank-ask.ts'
import { examinedForMachines, printExamined } from './bank-preview.ts'
import { exitCodes } from './exit-codes.ts'
import { signalsOfFile } from './bank-files.ts'
import type { Io } from './io.ts'
import { withExamples } from './examples.ts'
import { count, printJson, shortTime } from './output.ts'
import { parseWhole } from './parse.ts'
import { configuredManifests } from './plugins.ts'
import { withHasher } from './read-blob.ts'
import { withSession } from './session.ts'
import type { CommandSession } from './session.ts'

type AddOptions = Partial<Record<SignalType, string>> & {
  signal?: string[]
  note?: string
  metadata?: string
  accounts?: string
  dryRun?: boolean
  json?: boolean
}
type Given = { file?: string; signals: NewSignal[]; leftOut?: string }
type Done = { file?: string; types: AnySignalType[]; leftOut?: string } & Admitted

export function addBankContents(command: Command, io: Io): void {
  withExamples(
    command
      .command('add')
      .description(
        'add known items: files, one content each, or signals, which together are one content',
      )
      .argument('<BANK>', 'the bank')
      .argument('[FILE...]', 'files; - is stdin')
      .option('--sha256 <HEX>', 'a signal')
      .option('--md5 <HEX>', 'a signal')
      .option('--sha1 <HEX>', 'a signal')
      .option('--pdq <HEX>', 'a signal')
      .option('--clip <HEX>', 'a signal')
      .option(
        '--signal <TYPE=HEX>',
        'a signal of any type, also of a configured plug-in; may be repeated',
        (one: string, before: string[] | undefined) => [...(before ?? []), one],
      )
      .option('--note <TEXT>', 'kept with each content')
      .option('--metadata <JSON>', 'an object, kept with each content')
      .option('--accounts <N>', 'the number of accounts that would be concerned, where it is asked')
      .option('--dry-run', 'show what would match; change nothing')
      .option('--json', 'print the result as JSON')
      .action((bank: string, files: string[], options: AddOptions) =>
        runAdd(io, bank, files, options),
      ),
    [
      'bank add SPAM advert.png --note "coin advert"',
      'bank add SPAM pictures/*.jpg --dry-run',
      'bank add KNOWN_BAD --md5 9e107d9d372bb6826bd81d3542a419d6',
    ],
  )
}

async function runAdd(io: Io, name: string, files: string[], options: AddOptions): Promise<void> {
  const typed = typedSignals(options, otherTypesOf(configuredManifests(io)))
  if (files.length === 0 && typed.length === 0) {
    throw new UsageError(
      'bank add needs a file, or a signal (--sha256, --md5, --sha1, --pdq, --clip, --signal)',
    )
  }
  const note = options.note === undefined ? undefined : parseNote(options.note)
  const metadata = options.metadata === undefined ? undefined : parseMetadata(options.metadata)
  const accounts =
    options.accounts === undefined
      ? undefined
      : parseWhole(options.accounts, '--accounts', { min: 0, max: Number.MAX_SAFE_INTEGER })
  await withSession(io, async (session) => {
    const bank = await bankNamed(session.db, name)
    const given = [
      ...(typed.length > 0 ? [{ signals: typed }] : []),
      ...(await hashFiles(io, files)),
    ]
    const examined = await examineGiven(io, session, bank, given)
    const show = options.json !== true
    if (show) {
      printFacts(io, session, examined, given)
      if (bank.mode === 'observe')
        io.out(`${name} observes: what matches is recorded, and nothing is asked for.`)
    }
    if (options.dryRun === true) {
      if (show) io.out('Nothing was changed: --dry-run.')
      else printJson(io, { bank: name, dryRun: true, preview: examinedForMachines(examined) })
      return
    }
    const typedAccounts = await typedNumber(io, examined, accounts)
    if (typedAccounts === 'wrong') {
      io.setExitCode(exitCodes.notOk)
      if (!show) printJson(io, { bank: name, added: [], needsCount: examined.total.accounts })
      return
    }
    const added = await admitAll(io, session, {
      bank,
      examined,
      given,
      note,
      metadata,
      typedAccounts,
    })
    if (added.some(({ kind }) => kind !== 'added')) io.setExitCode(exitCodes.notOk)
    if (!show) printJson(io, { bank: name, added, preview: examinedForMachines(examined) })
    else tell(io, name, added)
  })
}

function typedSignals(options: AddOptions, others: OtherTypes): NewSignal[] {
  const named = (options.signal ?? []).map((text) => {
    const [, type, value] = /^([^=]+)=(.*)$/.exec(text) ?? []
    if (type === undefined || value === undefined)
      throw new UsageError('--signal has a type and a value: average_hash=3939393939393939')
    return { type: type as AnySignalType, value }
  })
  const own = signalTypes.flatMap((type) => {
    const value = options[type]
    return value === undefined ? [] : [{ type, value }]
  })
  return [...own, ...named].map((signal) => parseSignal(signal, others))
}

async function hashFiles(io: Io, files: string[]): Promise<Given[]> {
  if (files.length === 0) return []
  return withHasher(io, async (hasher) => {
    const given: Given[] = []
    for (const [index, file] of files.entries()) {
      if (files.length > 1) io.err(`${index + 1}/${files.length} ${file}`)
      given.push({ file, ...(await signalsOfFile(io, hasher, file)) })
    }
    return given
  })
}

async function examineGiven(
  io: Io,
  { db, config, others, nowMs }: CommandSession,
  bank: Bank,
  given: Given[],
): Promise<Examined> {
  let told = 0
  return examine({
    db,
    bank,
    contents: given.map(({ signals }) => signals),
    others: others(),
    settings: config,
    nowMs: nowMs(),
    signal: io.stop,
    onProgress: (done, of) => {
      const percent = Math.floor((done * 10) / Math.max(1, of)) * 10
      if (percent > told) io.err(`compared with what was seen: ${percent}%`)
      told = Math.max(told, percent)
    },
  })
}

function printFacts(io: Io, session: CommandSession, examined: Examined, given: Given[]): void {
  const names = given.map(({ file }) => file ?? 'the signals')
  printExamined(io, examined, session.config.keepDays, names)
}

/** undefined: no number is asked. */
async function typedNumber(
  io: Io,
  examined: Examined,
  given: number | undefined,
): Promise<number | undefined | 'wrong'> {
  if (!examined.needsCount) return undefined
  const { accounts } = examined.total
  const answer =
    given ??
    Number(await askPerson(io, 'Type the number of accounts to go on (anything else: stop):'))
  if (answer === accounts) return accounts
  io.err(
    given === undefined
      ? `Nothing was changed. So many accounts are named by number: the same command with --accounts ${accounts}`
      : `Nothing was changed: --accounts ${given} is not the number of accounts above.`,
  )
  return 'wrong'
}

async function admitAll(
  io: Io,
  session: CommandSession,
  input: {
    bank: Bank
    examined: Examined
    given: Given[]
    note: string | undefined
    metadata: object | undefined
    typedAccounts: number | undefined
  },
): Promise<Done[]> {
  const { given, ...rest } = input
  const principal = await session.principal()
  const done: Done[] = []
  for (const [index, content] of input.examined.contents.entries()) {
    if (io.stop.aborted) {
      io.err(`stopped: ${count(done.length, 'content')} of ${given.length} are in.`)
      break
    }
    const admitted = await admit({
      ...rest,
      db: session.db,
      content,
      others: session.others(),
      settings: session.config,
      principal,
      nowMs: session.nowMs(),
    })
    const { file, leftOut } = given[index] ?? {}
    done.push({
      ...(file !== undefined && { file }),
      types: content.signals.map(({ type }) => type),
      ...(leftOut !== undefined && { leftOut }),
      ...admitted,
    })
  }
  return done
}

function tell(io: Io, bank: string, done: Done[]): void {
  for (const one of done) {
    io.out(`${one.file === undefined ? '' : `${one.file}: `}${outcome(one)}`)
    if (one.leftOut !== undefined) io.out(`  ${one.leftOut}`)
  }
  const added = done.filter(({ kind }) => kind === 'added').length
  const inBank = added === 0 ? 'Nothing was' : count(added, 'content')
  const then = added === 0 ? '' : '; a running service compares what it scanned before'
  io.out(`${inBank} added to ${bank}${then}.`)
}

function outcome(one: Done): string {
  switch (one.kind) {
    case 'added':
      return `content ${one.content} (${one.types.join(', ')})`
    case 'proposed':
      return `proposal ${one.proposal} (${one.why.join(', ')}): ${whoApproves(one.proposal, one.aloneUntil)}`
    case 'refused':
      return 'refused: no signal is left that says something about one picture'
    case 'needs-count':
      return `waits for the number of accounts: --accounts ${one.accounts}`
    default:
      return one satisfies never
  }
}

export function whoApproves(proposal: number, aloneUntil: Date | null): string {
  return aloneUntil === null
    ? `another person approves it: approval approve ${proposal}`
    : `nobody else is registered, so you may approve it yourself from ${shortTime(aloneUntil)} on: approval approve ${proposal}`
}
