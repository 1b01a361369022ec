// ledger export: a copy that anybody can verify without us. Kept personal values are not in it.
import { createWriteStream } from 'node:fs'
import { once } from 'node:events'
import { finished } from 'node:stream/promises'
import type { Command } from 'commander'
import { UsageError } from '../domain/errors.ts'
import { readEntries, readHead } from '../ledger/read-ledger.ts'
import type { Io } from './io.ts'
import { withExamples } from './examples.ts'
import { ledgerLine } from './ledger-file.ts'
import { count, printJson } from './output.ts'
import { withSession } from './session.ts'

export function addLedgerExport(command: Command, io: Io): void {
  withExamples(
    command
      .command('export')
      .description(
        'write a copy of all entries as JSON Lines; a file that exists is not overwritten',
      )
      .argument('<FILE>', 'where to')
      .option('--json', 'print the result as JSON')
      .action((file: string, options: { json?: boolean }) => run(io, file, options)),
    ['ledger export ledger.jsonl', 'ledger verify --file ledger.jsonl'],
  )
}

async function run(io: Io, file: string, options: { json?: boolean }): Promise<void> {
  await withSession(io, async ({ db }) => {
    const head = await readHead(db)
    const to = createWriteStream(file, { flags: 'wx', mode: 0o600 })
    const written = finished(to)
    // Awaited below; a failure while rows are read must not be unhandled.
    written.catch(() => undefined)
    let entries = 0
    for await (const page of readEntries(db, { from: 0, to: head?.size ?? 0 })) {
      if (to.errored !== null) break
      if (!to.write(page.map((entry) => `${ledgerLine(entry)}\n`).join(''))) {
        await Promise.race([once(to, 'drain'), written])
      }
      entries += page.length
    }
    to.end()
    await written.catch((cause: unknown) => {
      throw new UsageError(`${file} cannot be written, or exists already`, { cause })
    })
    const at = head === undefined ? undefined : `${head.size}:${head.hash}`
    if (options.json === true) printJson(io, { file, entries, head: at ?? null })
    else
      io.out(
        `${count(entries, 'entry', 'entries')} written to ${file}${at === undefined ? '' : `, head ${at}`}`,
      )
  })
}
