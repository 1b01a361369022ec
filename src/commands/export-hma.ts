// export hma: the way back. Banks, contents with their numbers and exchanges, as HMA's tables.
import type { Command } from 'commander'
import { examineHma, openHma, parseHmaAddress } from '../banks/hma-database.ts'
import { openSession } from '../db/session.ts'
import { UsageError } from '../domain/errors.ts'
import { databaseSink, exportHma, textSink } from '../roles/export-hma.ts'
import type { HmaExported, HmaSink } from '../roles/export-hma.ts'
import { withExamples } from './examples.ts'
import { hmaProgress } from './hma-progress.ts'
import type { Io } from './io.ts'
import { newFile } from './new-file.ts'
import { count, printJson } from './output.ts'
import { withSession } from './session.ts'
import type { CommandSession } from './session.ts'

type Options = {
  output?: string
  yesValues?: boolean
  confidential?: string
  skipConfidential?: boolean
  json?: boolean
}

const reasonChars = { min: 10, max: 500 } as const

export function addExportHma(command: Command, io: Io): void {
  withExamples(
    command
      .command('hma')
      .description(
        "write the banks into an HMA's empty tables, or as SQL for psql; says what is lost",
      )
      .argument('[DATABASE_URL]', "of HMA's own Postgres; its tables are there and empty")
      .option('--output <FILE>', 'a new file of SQL instead; - is stdout')
      .option('--yes-values', 'of restricted banks: let their values leave; the ledger tells')
      .option('--confidential <REASON>', 'let confidential banks leave too, and say why')
      .option('--skip-confidential', 'leave confidential banks out')
      .option('--json', 'print what was written as JSON; not with --output -')
      .action((url: string | undefined, options: Options) => run(io, url, options)),
    [
      'export hma postgres://hma@10.0.0.5/media_match --yes-values',
      'export hma --output back.sql --yes-values --skip-confidential',
    ],
  )
}

async function run(io: Io, url: string | undefined, options: Options): Promise<void> {
  const { output, confidential: reason } = options
  if ((url === undefined) === (output === undefined))
    throw new UsageError('export hma needs a database or --output FILE, one of the two')
  if (options.json === true && output === '-')
    throw new UsageError('--json and --output - would both be on stdout')
  if (
    reason !== undefined &&
    (reason.trim().length < reasonChars.min || reason.length > reasonChars.max)
  )
    throw new UsageError(`a reason has ${reasonChars.min} to ${reasonChars.max} characters`)
  await withSession(io, async (session) => {
    await using stack = new AsyncDisposableStack()
    const sink =
      url === undefined
        ? await fileSink(io, output ?? '-', stack)
        : await hmaSink(session, url, stack)
    const exported = await exportHma(
      {
        db: session.db,
        yesValues: options.yesValues === true,
        confidentialReason: reason,
        skipConfidential: options.skipConfidential === true,
        principal: session.principal,
        nowMs: session.nowMs,
        onProgress: hmaProgress(io, 'contents written, up'),
        signal: io.stop,
      },
      sink,
    )
    if (options.json === true) printJson(io, exported)
    else printExported(output === '-' ? io.err : io.out, exported)
  })
}

async function hmaSink(
  { log }: CommandSession,
  url: string,
  stack: AsyncDisposableStack,
): Promise<HmaSink> {
  const address = parseHmaAddress(url)
  const reader = openHma(address, { log, readOnly: true })
  try {
    await examineHma(reader)
  } finally {
    await reader.end({ timeout: 2 })
  }
  return databaseSink(stack.use(await openSession(address, { applicationName: 'blobwatch', log })))
}

async function fileSink(io: Io, output: string, stack: AsyncDisposableStack): Promise<HmaSink> {
  if (output === '-') return textSink(async (text) => io.out(text.trimEnd()))
  const file = stack.use(await newFile(output))
  const sink = await textSink((text) => file.write(text))
  return {
    write: (part) => sink.write(part),
    async end() {
      await sink.end()
      await file.keep()
    },
  }
}

function printExported(tell: (text: string) => void, exported: HmaExported): void {
  const { banks, contents, signals, exchanges, lost } = exported
  tell(
    `${count(banks.length, 'bank')}, ${count(contents, 'content')}, ${count(signals, 'signal')} and ${count(exchanges, 'exchange')} written.`,
  )
  if (lost.length > 0) tell('What HMA has no place for:')
  for (const one of lost) tell(`  ${one.count} × ${one.what}`)
  if (exchanges > 0)
    tell('Credentials of exchanges do not leave: set them in HMA again before it fetches.')
}
