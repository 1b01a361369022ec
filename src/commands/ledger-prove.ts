// ledger prove: that one entry is in the log, as two files that need nothing else of it.
import { writeFile } from 'node:fs/promises'
import type { Command } from 'commander'
import { UsageError } from '../domain/errors.ts'
import { proveEntry } from '../roles/prove-entry.ts'
import { withExamples } from './examples.ts'
import type { Io } from './io.ts'
import { printJson } from './output.ts'
import { parseWhole } from './parse.ts'
import { withSession } from './session.ts'

type ProveOptions = { out?: string; json?: boolean }

export function addLedgerProve(command: Command, io: Io): void {
  withExamples(
    command
      .command('prove')
      .description(
        'write a proof that an entry is in the log (C2SP tlog-proof), and the entry beside it',
      )
      .argument('<SEQ>', 'the number of the entry')
      .option(
        '--out <FILE>',
        'where to; the entry goes to the same name with .entry (default: entry-SEQ.tlog-proof)',
      )
      .option('--json', 'print the result as JSON')
      .action((seq: string, options: ProveOptions) => run(io, seq, options)),
    ['ledger prove 1234', 'ledger prove 1234 --out evidence.tlog-proof'],
  )
}

async function run(io: Io, text: string, options: ProveOptions): Promise<void> {
  const seq = parseWhole(text, 'SEQ', { min: 0, max: Number.MAX_SAFE_INTEGER })
  await withSession(io, async ({ db }) => {
    const proved = await proveEntry(db, seq)
    if (proved.kind === 'not-signed-yet')
      throw new UsageError(`entry ${seq} is under no signed checkpoint yet: try again in a minute`)
    if (proved.kind === 'no-such-entry')
      throw new UsageError(`there is no entry ${seq}: the ledger has ${proved.size}`)
    const { size, entry, proof } = proved
    const file = options.out ?? `entry-${seq}.tlog-proof`
    const entryFile = `${file.replace(/\.tlog-proof$/, '')}.entry`
    await write(entryFile, entry)
    await write(file, Buffer.from(proof))
    if (options.json === true) printJson(io, { seq, size, proof: file, entry: entryFile })
    else
      io.out(
        `${file} shows that ${entryFile} is entry ${seq} of ${size}. Verify it: node verifier/verify.mjs proof ${file} --entry ${entryFile} --key "…"`,
      )
  })
}

async function write(file: string, bytes: Uint8Array): Promise<void> {
  try {
    await writeFile(file, bytes, { flag: 'wx', mode: 0o600 })
  } catch (cause) {
    throw new UsageError(`${file} cannot be written, or exists already`, { cause })
  }
}
