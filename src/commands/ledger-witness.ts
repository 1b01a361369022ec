// ledger witness: cosigns the checkpoints of other operators' ledgers, as C2SP tlog-witness has it.
import type { Command } from 'commander'
import { UsageError } from '../domain/errors.ts'
import { formatVerifierKey, parseVerifierKey } from '../ledger/note/key.ts'
import type { VerifierKey } from '../ledger/note/key.ts'
import { adoptCheckpoint } from '../ledger/signer/adopt.ts'
import { createHeadKeeper } from '../ledger/signer/head-keeper.ts'
import { readKeyFile } from '../ledger/signer/key-file.ts'
import { serveWitness } from '../ledger/witness/witness-server.ts'
import { createWitness } from '../ledger/witness/witness.ts'
import { armFromSetting } from './crash-setting.ts'
import { withExamples } from './examples.ts'
import type { Io } from './io.ts'
import { makeKey, readNote, tellError } from './ledger-serving.ts'
import { printJson } from './output.ts'
import { parseWhole } from './parse.ts'
import { untilStopped } from './until-stopped.ts'

type RunOptions = {
  port?: string
  host: string
  key: string
  state: string
  log?: string[]
  adopt?: string
  json?: boolean
}

const keyExample = 'modlog.example.com/main+6a3f0c1b+AVvC…'

export function addLedgerWitness(command: Command, io: Io): void {
  const family = command
    .command('witness')
    .description("a witness of other operators' ledgers (C2SP tlog-witness)")
  withExamples(
    family
      .command('run', { isDefault: true })
      .description(
        "cosign the checkpoints of the given logs, each only as the last one's continuation",
      )
      .option('--port <N>', 'port to listen at')
      .option('--host <ADDRESS>', 'address to listen at', '127.0.0.1')
      .requiredOption('--key <FILE>', 'the private key; keygen makes it')
      .requiredOption('--state <DIR>', 'where the newest cosigned heads are kept')
      .option('--log <VKEY...>', "a log's verifier key, as its operator's `ledger key` prints it")
      .option(
        '--adopt <FILE>',
        'instead: take the head of this signed checkpoint as the newest, after the folder was lost',
      )
      .option('--json', 'print the result as JSON')
      .action((options: RunOptions) => run(io, options)),
    [
      `ledger witness --port 7380 --key /etc/blobwatch-witness/key --state /var/lib/blobwatch-witness --log ${keyExample}`,
    ],
  )
  withExamples(
    family
      .command('keygen')
      .description("make the witness's key and print the verifier's; a file that exists stays")
      .argument('<NAME>', 'the name of the witness, for example witness.example.com/w1')
      .requiredOption('--key <FILE>', 'where to')
      .option('--json', 'print the result as JSON')
      .action((name: string, options: { key: string; json?: boolean }) =>
        makeKey(io, { name, type: 'witness', file: options.key, json: options.json === true }),
      ),
    ['ledger witness keygen witness.example.com/w1 --key /etc/blobwatch-witness/key'],
  )
}

async function run(io: Io, options: RunOptions): Promise<void> {
  armFromSetting(io.env['BLOBWATCH_CRASH_POINT'])
  const logs = (options.log ?? []).map(parseLog)
  if (logs.length === 0) throw new UsageError('--log says whose checkpoints are cosigned')
  const key = await readKeyFile(options.key, 'witness')
  if (key === undefined)
    throw new UsageError(`${options.key} is not there: ledger witness keygen NAME --key FILE`)
  const keeper = await createHeadKeeper({ folder: options.state })
  if (options.adopt !== undefined) {
    const { origin, size } = await adoptCheckpoint({
      note: await readNote(options.adopt),
      keeper,
      keyOf: (origin) => logs.find((log) => log.name === origin),
    })
    if (options.json === true) printJson(io, { adopted: { origin, size } })
    else io.out(`The newest head of ${origin} is now the one of ${size} entries.`)
    return
  }
  if (options.port === undefined) throw new UsageError('--port says where to listen')
  await using server = await serveWitness({
    witness: createWitness({ key, logs, keeper, nowMs: Date.now }),
    host: options.host,
    port: parseWhole(options.port, '--port', { min: 0, max: 65_535 }),
    onError: (error) => tellError(io, 'witness', error),
  })
  const verifierKey = formatVerifierKey(key.verifier)
  const policyLine = `witness ${key.verifier.name.replaceAll('/', '-')} ${verifierKey} ${server.url}`
  if (options.json === true) printJson(io, { url: server.url, verifierKey, policyLine })
  else {
    io.out(`The witness answers at ${server.url} for ${logs.map(({ name }) => name).join(', ')}.`)
    io.out(policyLine)
  }
  await untilStopped(io.stop)
}

function parseLog(text: string): VerifierKey {
  const key = parseVerifierKey(text)
  if (typeof key === 'string') throw new UsageError(`--log: ${key}`)
  if (key.type !== 'log') throw new UsageError(`--log: ${key.name} is the key of a witness`)
  return key
}
