// ledger key: what others pin to check our checkpoints.
import type { Command } from 'commander'
import { parseConfig } from '../config.ts'
import type { Config } from '../config.ts'
import { PermanentError, UsageError } from '../domain/errors.ts'
import { parseVerifierKey } from '../ledger/note/key.ts'
import { parseKey, readKeyFile } from '../ledger/signer/key-file.ts'
import { signerKeyFile } from '../ledger/signer/open-signer.ts'
import { createSignerClient } from '../ledger/signer/signer-client.ts'
import { createSigner } from '../ledger/signer/signer.ts'
import type { LedgerSigner } from '../ledger/signer/signer.ts'
import { withExamples } from './examples.ts'
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
  const signer = await findSigner(parseConfig(io.env, io.readFile))
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

/** Reads a key, makes none: the service does at its first start. */
async function findSigner(config: Config): Promise<LedgerSigner> {
  const { signerSocket, signerKey } = config.ledger
  if (signerSocket !== undefined) return createSignerClient({ path: signerSocket })
  const file = signerKeyFile(config)
  const key =
    signerKey === undefined
      ? await readKeyFile(file, 'log')
      : parseKey(signerKey, 'log', 'BLOBWATCH_LEDGER_KEY')
  if (key === undefined)
    throw new UsageError(`there is no key in ${file} yet: it is made at the first start`)
  // Only asked for its key: nothing is kept or signed.
  const none = () => Promise.reject(new TypeError('this signer only tells its key'))
  return createSigner({ key, keeper: { head: none, grow: none, adopt: none } })
}
