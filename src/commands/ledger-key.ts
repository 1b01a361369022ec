// ledger key: what others pin to check our checkpoints.
import type { Command } from 'commander'
import { parseConfig } from '../config.ts'
import { PermanentError, UsageError } from '../domain/errors.ts'
import { parseVerifierKey } from '../ledger/note/key.ts'
import { signerKeyFile } from '../ledger/signer/open-signer.ts'
import type { LedgerSigner } from '../ledger/signer/signer.ts'
import { withExamples } from './examples.ts'
import { findSigner } from './find-signer.ts'
import type { Io } from './io.ts'
import { printJson } from './output.ts'

type KeyOptions = { recovered?: string; json?: boolean }

export function addLedgerKey(command: Command, io: Io): void {
  withExamples(
    command
      .command('key')
      .description(
        "print the signer's verifier key, for others to pin, and its line of a tlog-policy",
      )
      .option('--recovered <N>', 'the key of NAME/recovered-N: the same seed under that name')
      .option('--json', 'print the result as JSON')
      .action((options: KeyOptions) => run(io, options)),
    ['ledger key', 'ledger key --recovered 2'],
  )
}

async function run(io: Io, options: KeyOptions): Promise<void> {
  const config = parseConfig(io.env, io.readFile)
  const signer = await findSigner(config)
  if (signer === undefined)
    throw new UsageError(
      `there is no key in ${signerKeyFile(config)} yet: it is made at the first start`,
    )
  const own = await signer.verifierKey()
  const verifierKey =
    options.recovered === undefined ? own : await recovered(signer, own, options.recovered)
  const policyLine = `log ${verifierKey}`
  if (options.json === true) printJson(io, { verifierKey, policyLine })
  else {
    io.out(verifierKey)
    io.err(`In a tlog-policy:\n${policyLine}`)
  }
}

async function recovered(signer: LedgerSigner, own: string, number: string): Promise<string> {
  const key = parseVerifierKey(own)
  if (typeof key === 'string') throw new UsageError(`the signer's key: ${key}`)
  try {
    return await signer.verifierKey(`${key.name}/recovered-${number}`)
  } catch (error) {
    if (!(error instanceof PermanentError)) throw error
    throw new UsageError('--recovered is a whole number from 2', { cause: error })
  }
}
