// bank export: a bank as a file that bank import reads back equal.
import { randomUUID } from 'node:crypto'
import type { Command } from 'commander'
import { countContents, exportItems, noteExport, typesInBank } from '../banks/bank-export.ts'
import { bankNamed } from '../banks/bank-store.ts'
import { listFormats, listHeader, listLine } from '../banks/list-format.ts'
import { RetryableError, UsageError } from '../domain/errors.ts'
import type { Io } from './io.ts'
import { formatOf } from './bank-list-file.ts'
import { withExamples } from './examples.ts'
import { newFile } from './new-file.ts'
import { count, printJson } from './output.ts'
import { parseOneOf } from './parse.ts'
import { withSession } from './session.ts'

type ExportOptions = { format?: string; output?: string; yesValues?: boolean; json?: boolean }

export function addBankExport(command: Command, io: Io): void {
  withExamples(
    command
      .command('export')
      .description('write the contents of a bank as a list that bank import reads back equal')
      .argument('<NAME>', 'the bank; a confidential one never leaves')
      .option(
        '--format <FORMAT>',
        `${listFormats.join(' or ')}; not set: by the file's name, else csv`,
      )
      .option('--output <FILE>', 'a new file; not set: stdout')
      .option('--yes-values', 'of a restricted bank: let its values leave; the ledger tells')
      .option('--json', 'with --output: print what was written as JSON')
      .action((name: string, options: ExportOptions) => run(io, name, options)),
    [
      'bank export SPAM --output spam.csv',
      'bank export SPAM --format jsonl | gzip > spam.jsonl.gz',
    ],
  )
}

async function run(io: Io, name: string, options: ExportOptions): Promise<void> {
  const { output } = options
  if (options.json === true && output === undefined) {
    throw new UsageError('--json needs --output: without it the list itself is on stdout')
  }
  const format =
    options.format === undefined
      ? (formatOf(output ?? '') ?? 'csv')
      : parseOneOf(options.format, '--format', listFormats)
  await withSession(io, async (session) => {
    const { db } = session
    const bank = await bankNamed(db, name)
    if (bank.confidential) throw new UsageError(`${name} is confidential: its signals never leave`)
    if (bank.class === 'restricted' && options.yesValues !== true) {
      throw new UsageError(
        `${name} is restricted: --yes-values lets its values leave, and the ledger tells who did`,
      )
    }
    await using file = output === undefined ? undefined : await newFile(output)
    const contents = await countContents(db, bank.id)
    if (bank.class === 'restricted') {
      const who = { principal: await session.principal(), nowMs: session.nowMs() }
      await noteExport(db, { bank: name, contents, format, id: randomUUID(), ...who })
    }
    const write = async (text: string) => {
      if (file === undefined) io.out(text)
      else await file.write(`${text}\n`)
    }
    const types = await typesInBank(db, bank.id)
    const header = listHeader(format, types)
    if (header !== undefined) await write(header)
    let done = 0
    for await (const items of exportItems(db, bank.id)) {
      if (io.stop.aborted) throw new RetryableError(`stopped after ${count(done, 'content')}`)
      await write(items.map((item) => listLine(item, format, types)).join('\n'))
      done += items.length
      io.err(`${done} of ${contents} contents written`)
    }
    await file?.keep()
    if (options.json === true) printJson(io, { bank: name, contents: done, format, output })
    else if (done === 0) io.err('The bank is empty.')
  })
}
