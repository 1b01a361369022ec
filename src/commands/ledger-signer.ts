// ledger signer: what signs checkpoints, as a process and user of its own.
import { readFile } from 'node:fs/promises'
import type { Command } from 'commander'
import { FatalError, UsageError, errorMessage } from '../domain/errors.ts'
import { formatVerifierKey } from '../ledger/note/key.ts'
import type { SignerKey } from '../ledger/note/signer-key.ts'
import { adoptCheckpoint } from '../ledger/signer/adopt.ts'
import { createHeadKeeper } from '../ledger/signer/head-keeper.ts'
import { makeKeyFile, readKeyFile } from '../ledger/signer/key-file.ts'
import { isOriginOf, createSigner } from '../ledger/signer/signer.ts'
import { serveSigner } from '../ledger/signer/signer-server.ts'
import { armFromSetting } from './crash-setting.ts'
import { withExamples } from './examples.ts'
import type { Io } from './io.ts'
import { printJson } from './output.ts'
import { untilStopped } from './until-stopped.ts'

type RunOptions = { socket?: string; key: string; state: string; adopt?: string; json?: boolean }

export function addLedgerSigner(command: Command, io: Io): void {
  const family = command
    .command('signer')
    .description('the signer of checkpoints as a process and user of its own')
  withExamples(
    family
      .command('run', { isDefault: true })
      .description('sign checkpoints for the service, at a socket that the group may use')
      .option('--socket <PATH>', 'where to answer; BLOBWATCH_LEDGER_SIGNER of the service')
      .requiredOption('--key <FILE>', 'the private key; keygen makes it')
      .requiredOption('--state <DIR>', 'where the newest signed head is kept')
      .option(
        '--adopt <FILE>',
        'instead: take the head of this signed checkpoint as the newest, after the folder was lost',
      )
      .option('--json', 'print the result as JSON')
      .action((options: RunOptions) => run(io, options)),
    [
      'ledger signer --socket /run/blobwatch-signer/sign --key /etc/blobwatch-signer/key --state /var/lib/blobwatch-signer',
      'ledger signer --adopt checkpoint.txt --key /etc/blobwatch-signer/key --state /var/lib/blobwatch-signer',
    ],
  )
  withExamples(
    family
      .command('keygen')
      .description("make the signer's key and print the verifier's; a file that exists stays")
      .argument('<NAME>', "the ledger's name, as BLOBWATCH_LOG_NAME has it")
      .requiredOption('--key <FILE>', 'where to')
      .option('--json', 'print the result as JSON')
      .action((name: string, options: { key: string; json?: boolean }) =>
        makeKey(io, { name, type: 'log', file: options.key, json: options.json === true }),
      ),
    ['ledger signer keygen modlog.example.com/main --key /etc/blobwatch-signer/key'],
  )
}

async function run(io: Io, options: RunOptions): Promise<void> {
  armFromSetting(io.env['BLOBWATCH_CRASH_POINT'])
  const key = await readKeyFile(options.key, 'log')
  if (key === undefined)
    throw new UsageError(`${options.key} is not there: ledger signer keygen NAME --key FILE`)
  const keeper = await createHeadKeeper({ folder: options.state })
  const verifierKey = formatVerifierKey(key.verifier)
  if (options.adopt !== undefined) {
    const { origin, size } = await adoptCheckpoint({
      note: await readNote(options.adopt),
      keeper,
      keyOf: (origin) => signerOf(key, origin)?.verifier,
    })
    if (options.json === true) printJson(io, { adopted: { origin, size } })
    else io.out(`The newest head of ${origin} is now the one of ${size} entries.`)
    return
  }
  if (options.socket === undefined) throw new UsageError('--socket says where to answer')
  await using _ = await serveSigner({
    signer: createSigner({ key, keeper }),
    path: options.socket,
    onError: (error) => io.err(`signer: ${errorMessage(error)}${causeOf(error)}`),
  })
  if (options.json === true) printJson(io, { socket: options.socket, verifierKey })
  else io.out(`The signer answers at ${options.socket}.\n${verifierKey}`)
  await untilStopped(io.stop)
}

function signerOf(key: SignerKey, origin: string): SignerKey | undefined {
  return isOriginOf(key.verifier.name, origin) ? key.named(origin) : undefined
}

export async function readNote(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (cause) {
    throw new UsageError(`${file} cannot be read`, { cause })
  }
}

export async function makeKey(
  io: Io,
  options: { name: string; type: 'log' | 'witness'; file: string; json: boolean },
): Promise<void> {
  const key = await makeKeyFile(options.file, options.name, options.type)
  if (key === undefined) throw new UsageError(`${options.file} is there already and stays`)
  const verifierKey = formatVerifierKey(key.verifier)
  if (options.json) printJson(io, { file: options.file, verifierKey })
  else {
    io.out(verifierKey)
    io.err(`The private key is in ${options.file}: whoever can read it can sign. Keep a copy.`)
  }
}

/** Of an error of the disk the code, which says what to do about it. */
function causeOf(error: unknown): string {
  const cause = error instanceof Error && !(error instanceof FatalError) ? error.cause : undefined
  return cause instanceof Error && 'code' in cause ? ` (${String(cause.code)})` : ''
}
