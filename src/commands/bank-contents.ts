// bank add and bank remove: contents of a bank. Each change is an entry, and starts a pass over what was scanned before.
import type { Command } from 'commander'
import { addContent, bankNamed, parseSignal, removeContent } from '../banks/bank-store.ts'
import type { NewSignal } from '../banks/bank-store.ts'
import { pdqQualityMin } from '../domain/blob.ts'
import type { SignalType } from '../domain/blob.ts'
import { UsageError } from '../domain/errors.ts'
import type { Hasher } from '../domain/ports.ts'
import type { Io } from './io.ts'
import { withExamples } from './examples.ts'
import { count, printJson } from './output.ts'
import { parseWhole } from './parse.ts'
import { hashFile, withHasher } from './read-blob.ts'
import { withSession } from './session.ts'
import type { CommandSession } from './session.ts'

type AddOptions = Partial<Record<SignalType, string>> & { note?: string; json?: boolean }
type Added = { file?: string; content: number; types: SignalType[]; leftOut?: string }

const noteCharsMax = 2000

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
      .option('--note <TEXT>', 'kept with each content')
      .option('--json', 'print the result as JSON')
      .action((bank: string, files: string[], options: AddOptions) =>
        runAdd(io, bank, files, options),
      ),
    [
      'bank add SPAM advert.png --note "coin advert"',
      'bank add KNOWN_BAD --md5 9e107d9d372bb6826bd81d3542a419d6',
    ],
  )
  withExamples(
    command
      .command('remove')
      .description(
        'remove a content: it matches nothing from now on; what it caused stays as it is',
      )
      .argument('<BANK>', 'the bank')
      .argument('<CONTENT>', 'the number that bank show prints')
      .option('--json', 'print the result as JSON')
      .action((bank: string, content: string, options: { json?: boolean }) =>
        runRemove(io, bank, content, options),
      ),
    ['bank remove SPAM 12'],
  )
}

async function runAdd(io: Io, bank: string, files: string[], options: AddOptions): Promise<void> {
  const signals = typedSignals(options)
  if (files.length === 0 && signals.length === 0) {
    throw new UsageError('bank add needs a file, or a signal (--sha256, --md5, --sha1, --pdq)')
  }
  if (options.note !== undefined && options.note.length > noteCharsMax) {
    throw new UsageError(`a note has ${noteCharsMax} characters at most`)
  }
  const added = await withSession(io, async (session) => {
    await bankNamed(session.db, bank)
    const add = createAdd(session, bank, options.note)
    const done: Added[] = signals.length > 0 ? [await add(signals)] : []
    if (files.length > 0) {
      await withHasher(io, async (hasher) => {
        for (const [index, file] of files.entries()) {
          if (files.length > 1) io.err(`${index + 1}/${files.length} ${file}`)
          const { signals, leftOut } = await fileSignals(io, hasher, file)
          done.push({ file, ...(await add(signals)), ...(leftOut !== undefined && { leftOut }) })
        }
      })
    }
    return done
  })
  if (options.json === true) {
    printJson(io, { bank, added })
    return
  }
  for (const one of added) {
    const what = one.file === undefined ? '' : `${one.file}: `
    io.out(`${what}content ${one.content} (${one.types.join(', ')})`)
    if (one.leftOut !== undefined) io.out(`  ${one.leftOut}`)
  }
  io.out(
    `${count(added.length, 'content')} added to ${bank}; a running service compares what it scanned before.`,
  )
}

function createAdd(session: CommandSession, bank: string, note: string | undefined) {
  return async (signals: NewSignal[]): Promise<Added> => {
    const { content } = await addContent(session.db, {
      bank,
      signals,
      ...(note !== undefined && { note }),
      principal: await session.principal(),
      nowMs: session.nowMs(),
    })
    return { content, types: signals.map((signal) => signal.type) }
  }
}

function typedSignals(options: AddOptions): NewSignal[] {
  return (['sha256', 'md5', 'sha1', 'pdq'] as const).flatMap((type) => {
    const value = options[type]
    return value === undefined ? [] : [parseSignal({ type, value })]
  })
}

/** A picture that says too little would match half the network: its PDQ stays out, its digests are as good as any. */
async function fileSignals(
  io: Io,
  hasher: Hasher,
  file: string,
): Promise<{ signals: NewSignal[]; leftOut?: string }> {
  const hashed = await hashFile(io, hasher, file)
  if (!('signals' in hashed)) throw new UsageError(`${file} is larger than a blob may be`)
  if (hashed.unscannable === 'empty') throw new UsageError(`${file} is empty`)
  const { sha256, md5, sha1, pdq } = hashed.signals
  const signals: NewSignal[] = [{ type: 'sha256', value: sha256 }]
  if (md5 !== undefined) signals.push({ type: 'md5', value: md5 })
  if (sha1 !== undefined) signals.push({ type: 'sha1', value: sha1 })
  if (pdq !== undefined && pdq.quality >= pdqQualityMin) {
    signals.push({ type: 'pdq', value: pdq.hash, quality: pdq.quality })
    return { signals }
  }
  const why =
    pdq === undefined
      ? `no PDQ (${hashed.unscannable ?? `a ${hashed.media} file`})`
      : `PDQ refused: quality ${pdq.quality} is under ${pdqQualityMin}`
  return { signals, leftOut: `${why}; only exact copies will match` }
}

async function runRemove(
  io: Io,
  bank: string,
  contentText: string,
  options: { json?: boolean },
): Promise<void> {
  const content = parseWhole(contentText, 'a content number', { min: 1, max: 2_147_483_647 })
  await withSession(io, async (session) => {
    await removeContent(session.db, {
      bank,
      content,
      principal: await session.principal(),
      nowMs: session.nowMs(),
    })
    if (options.json === true) printJson(io, { bank, content, removed: true })
    else
      io.out(
        `content ${content} removed from ${bank}: it matches nothing from now on. What it caused stays; case overturn takes that back.`,
      )
  })
}
