// evidence keygen: the service's own age identity, in a file like age-keygen writes it. Needs no database.
import type { Command } from 'commander'
import { generateIdentity } from 'age-encryption'
import { recipientOf } from '../evidence/vault.ts'
import { writeNewFile } from './evidence-session.ts'
import { withExamples } from './examples.ts'
import type { Io } from './io.ts'
import { printJson } from './output.ts'

export function addEvidenceKeygen(command: Command, io: Io): void {
  withExamples(
    command
      .command('keygen')
      .description('make the identity of the working copies, and print its recipient')
      .argument('<FILE>', 'a new file, for its owner alone; keep it away from the service')
      .option('--json', 'print the result as JSON')
      .action((file: string, options: { json?: boolean }) => run(io, file, options)),
    ['evidence keygen /secure/evidence-service.key'],
  )
}

async function run(io: Io, file: string, options: { json?: boolean }): Promise<void> {
  const identity = await generateIdentity()
  const recipient = await recipientOf(identity)
  const text = `# created: ${new Date().toISOString()}\n# public key: ${recipient}\n${identity}\n`
  await writeNewFile(file, async () => Buffer.from(text))
  if (options.json === true) printJson(io, { file, recipient })
  else {
    io.out(`BLOBWATCH_EVIDENCE_SERVICE_RECIPIENT=${recipient}`)
    io.err(
      `The identity is in ${file}. Name it as BLOBWATCH_EVIDENCE_SERVICE_KEY_FILE where people open evidence, not where the service runs.`,
    )
  }
}
