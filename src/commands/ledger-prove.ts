// ledger prove: that one entry is in the log, as two files that need nothing else of it.
import { writeFile } from 'node:fs/promises'
import type { Command } from 'commander'
import { FatalError, UsageError } from '../domain/errors.ts'
import { parseCheckpoint } from '../ledger/note/checkpoint.ts'
import { parseNote } from '../ledger/note/note.ts'
import { formatTlogProof } from '../ledger/note/tlog-proof.ts'
import { readEntries, readHead } from '../ledger/read-ledger.ts'
import { createTileReader } from '../ledger/tile-store.ts'
import { createProver } from '../ledger/tree/prove.ts'
import { leafHashOf } from '../ledger/tree/hash.ts'
import { verifyInclusion } from '../ledger/tree/verify-proof.ts'
import { newestCheckpoint } from '../steps/checkpoints.ts'
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
    const head = await readHead(db)
    const checkpoint = head && (await newestCheckpoint(db, { origin: head.log }))
    const size = checkpoint?.size ?? 0
    if (checkpoint === undefined || seq >= size)
      throw new UsageError(
        seq < (head?.size ?? 0)
          ? `entry ${seq} is under no signed checkpoint yet: try again in a minute`
          : `there is no entry ${seq}: the ledger has ${head?.size ?? 0}`,
      )
    const [entry] = (await readEntries(db, { from: seq, to: seq + 1 }).next()).value ?? []
    const signed = parseCheckpoint(parseNote(checkpoint.note)?.text ?? '')
    const proof = await createProver(createTileReader(db), size).inclusion(seq, size)
    const leafHash = leafHashOf(entry?.bytes ?? new Uint8Array(0))
    if (
      signed === undefined ||
      !verifyInclusion({ index: seq, size, leafHash, root: signed.root, proof })
    )
      throw new FatalError(`entry ${seq} is not what was signed: run ledger verify`)
    const file = options.out ?? `entry-${seq}.tlog-proof`
    const entryFile = `${file.replace(/\.tlog-proof$/, '')}.entry`
    await write(entryFile, entry?.bytes ?? new Uint8Array(0))
    await write(file, Buffer.from(formatTlogProof({ index: seq, proof, note: checkpoint.note })))
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
