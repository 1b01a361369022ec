// evidence open and export: the only ways by which a copy leaves the vault. Each needs a reason, becomes an entry first,
// and writes to a new file that only its owner reads; nothing is ever shown on a terminal.
import type { Command } from 'commander'
import { UsageError } from '../domain/errors.ts'
import { evidenceObjects } from '../evidence/evidence-rows.ts'
import { openEvidence } from '../evidence/vault.ts'
import { openStore } from '../service-vault.ts'
import { fetchCopy, noteEvidenceRead } from '../steps/read-evidence.ts'
import type { ReadRequest } from '../steps/read-evidence.ts'
import {
  evidenceConfig,
  orNotOk,
  parseEvidence,
  parseReason,
  writeNewFile,
} from './evidence-session.ts'
import { withExamples } from './examples.ts'
import type { Io } from './io.ts'
import { printJson } from './output.ts'
import { withSession } from './session.ts'
import type { CommandSession } from './session.ts'

type ReadOptions = { reason: string; out: string; json?: boolean }
type Verb = ReadRequest['verb']

const verbs = {
  open: {
    verb: 'opened',
    description: 'write the original bytes of the working copy to a new file; recorded first',
    example: 'evidence open 12 --reason "report 2026-17" --out /secure/12.bin',
  },
  export: {
    verb: 'exported',
    description: 'write the sealed copy, still encrypted, to a new file; recorded first',
    example: 'evidence export 12 --reason "court order 4 K 11/26" --out 12.age',
  },
} as const satisfies Record<string, { verb: Verb; description: string; example: string }>

export function addEvidenceRead(command: Command, io: Io): void {
  for (const [name, { verb, description, example }] of Object.entries(verbs)) {
    withExamples(
      command
        .command(name)
        .description(description)
        .argument('<ID>', 'the evidence')
        .requiredOption('--reason <TEXT>', 'why; kept sealed behind the ledger entry')
        .requiredOption('--out <FILE>', 'a file that does not exist yet')
        .option('--json', 'print the result as JSON')
        .action((id: string, options: ReadOptions) =>
          orNotOk(io, () => run(io, verb, id, options)),
        ),
      [example],
    )
  }
}

async function run(io: Io, verb: Verb, text: string, options: ReadOptions): Promise<void> {
  const id = parseEvidence(text)
  const reason = parseReason(options.reason, '--reason')
  const { out } = options
  if (out === '-') throw new UsageError('--out is a file: evidence is never written to a terminal')
  await withSession(io, async (session) => {
    const bytes = await writeNewFile(out, () => release(session, { io, verb, id, reason }))
    if (options.json === true) printJson(io, { evidence: id, verb, file: out, bytes })
    else io.out(`evidence ${id} ${verb}: ${bytes} bytes in ${out}. The ledger says so.`)
  })
}

async function release(
  session: CommandSession,
  { io, verb, id, reason }: { io: Io; verb: Verb; id: number; reason: string },
): Promise<Uint8Array> {
  const config = evidenceConfig(session)
  const { serviceKey } = config
  if (verb === 'opened' && serviceKey === undefined)
    throw new UsageError(
      'BLOBWATCH_EVIDENCE_SERVICE_KEY_FILE is not set: without the service identity no working copy opens',
    )
  const { db } = session
  const [found] = await evidenceObjects(db, { after: 0, limit: 1, id })
  if (found === undefined) throw new UsageError(`there is no evidence ${id}`)
  if (found.state === 'destroyed') throw new UsageError(`evidence ${id} is destroyed`)
  if (verb === 'opened' && found.state === 'sealed')
    throw new UsageError(`the working copy of evidence ${id} is gone: export the sealed copy`)
  // Still sealed: what is not there, or was changed, is told before an entry says that it was opened.
  const copy = verb === 'opened' ? found.working : found.sealed
  const file = await fetchCopy(openStore(config), copy, io.stop)
  io.err('noted; waiting for the ledger entry')
  await noteEvidenceRead(db, {
    evidence: id,
    verb,
    reason,
    principal: await session.principal(),
    nowMs: session.nowMs(),
    signal: io.stop,
  })
  if (verb === 'exported' || serviceKey === undefined) return file
  return (await openEvidence(file, serviceKey)).bytes
}
