// ledger receipt: for an affected account, what was done to it, as files that prove it offline.
import { open, mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Command } from 'commander'
import { accountOf } from '../cases/case-file.ts'
import { actionsForReceipts } from '../cases/receipts.ts'
import type { ReceiptAction } from '../cases/receipts.ts'
import type { Database } from '../db/client.ts'
import { UsageError } from '../domain/errors.ts'
import { readEntries, readPrivate } from '../ledger/read-ledger.ts'
import { formatReceipt, receiptBytesMax } from '../ledger/receipt.ts'
import type { OpenedField, Receipt, ReceiptEntry } from '../ledger/receipt.ts'
import type { DataKey } from '../ledger/seal.ts'
import { createTileReader } from '../ledger/tile-store.ts'
import { createProver } from '../ledger/tree/prove.ts'
import { newestCheckpoint } from '../steps/checkpoints.ts'
import type { StoredCheckpoint } from '../steps/checkpoints.ts'
import { findDataKey } from './data-key.ts'
import { withExamples } from './examples.ts'
import type { Io } from './io.ts'
import { count, printJson } from './output.ts'
import { parseWhole } from './parse.ts'
import { withSession } from './session.ts'
import type { CommandSession } from './session.ts'

type ReceiptOptions = { case?: string; out: string; appeal?: string; json?: boolean }

const receiptsMax = 1_000
const appealCharsMax = 300

export function addLedgerReceipt(command: Command, io: Io): void {
  withExamples(
    command
      .command('receipt')
      .description(
        'for an affected account: a file for each thing that was done to it, with its proof; anybody can check it offline with the key of the log',
      )
      .argument('<DID>', 'the account')
      .option('--case <N>', 'only what this case caused')
      .option('--out <FOLDER>', 'where the files go; made when it is not there', '.')
      .option(
        '--appeal <TEXT>',
        'how to appeal, in one sentence with an address; goes into the receipt (BLOBWATCH_APPEAL_CONTACT)',
      )
      .option('--json', 'print the result as JSON')
      .action((did: string, options: ReceiptOptions) =>
        withSession(io, (session) => run(io, session, did, options)),
      ),
    [
      'ledger receipt did:plc:ewvi7nxzyoun6zhxrhs64oiz --out receipts',
      'ledger receipt did:plc:ewvi7nxzyoun6zhxrhs64oiz --case 7 --appeal "write to appeals@example.com"',
    ],
  )
}

async function run(
  io: Io,
  { config, db }: CommandSession,
  did: string,
  options: ReceiptOptions,
): Promise<void> {
  const appeal = options.appeal ?? config.appealContact
  if (appeal === undefined)
    throw new UsageError(
      'a receipt says how to appeal: set BLOBWATCH_APPEAL_CONTACT, or give --appeal "write to …"',
    )
  if (appeal.length > appealCharsMax)
    throw new UsageError(`how to appeal is said in ${appealCharsMax} characters`)
  const caseNumber =
    options.case === undefined
      ? undefined
      : parseWhole(options.case, '--case', { min: 1, max: 2 ** 31 - 1 })
  const account = await accountOf(db, did)
  if (account === undefined) throw new UsageError(`nothing is known about ${did}`)
  const dataKey = await findDataKey(config, db)
  if (dataKey === undefined)
    throw new UsageError(
      'there is no data key on this machine: what names the account cannot be opened',
    )
  const checkpoint = await newestCheckpoint(db)
  if (checkpoint === undefined)
    throw new UsageError(
      'the ledger has no signed checkpoint yet: start the service and wait a minute',
    )
  const actions = await actionsForReceipts(db, {
    account: account.id,
    caseNumber,
    through: checkpoint.size,
    limit: receiptsMax,
  })
  const files: string[] = []
  if (actions.length > 0) await mkdir(options.out, { recursive: true })
  for (const action of actions) {
    const text = formatReceipt(await makeReceipt(db, { action, checkpoint, dataKey, appeal }))
    if (Buffer.byteLength(text) > receiptBytesMax)
      throw new UsageError(
        `the receipt of action ${action.action} has more than ${receiptBytesMax} bytes: shorten --appeal`,
      )
    files.push(await writeNew(join(options.out, `receipt-${action.action}.json`), text))
  }
  if (options.json === true) printJson(io, { files, checkpoint: checkpoint.size })
  else if (files.length === 0)
    io.out(
      'Nothing that was done to this account is in a signed checkpoint (yet: it takes a minute).',
    )
  else {
    io.out(`${count(files.length, 'receipt')} in ${options.out}.`)
    io.out(
      'To check one: node verifier/verify.mjs receipt FILE --key KEY; the key is what `ledger key` prints.',
    )
  }
}

async function makeReceipt(
  db: Database,
  input: { action: ReceiptAction; checkpoint: StoredCheckpoint; dataKey: DataKey; appeal: string },
): Promise<Receipt> {
  const { action, checkpoint, dataKey } = input
  const prover = createProver(createTileReader(db), checkpoint.size)
  const entryAt = async (seq: number) => {
    for await (const [entry] of readEntries(db, { from: seq, to: seq + 1 })) {
      if (entry !== undefined) return entry
    }
    throw new UsageError(`entry ${seq} of the ledger is missing: ledger verify`)
  }
  const proved = async (seq: number): Promise<ReceiptEntry> => ({
    text: (await entryAt(seq)).bytes.toString('utf8'),
    index: seq,
    proof: await prover.inclusion(seq, checkpoint.size),
  })
  const intent = await proved(action.intent_seq)
  const open = await readPrivate(db, [await entryAt(action.intent_seq)], dataKey)
  const document = JSON.parse(intent.text) as { com: object; pub: { class?: string }; t: string }
  const opened: Record<string, OpenedField> = {}
  for (const field of Object.keys(document.com)) {
    const kept = open?.(action.intent_seq, field)
    if (kept !== undefined) opened[field] = kept
  }
  return {
    text: sentences(action, document.pub.class, input.appeal),
    intent,
    result: await proved(action.result_seq),
    opened,
    note: checkpoint.note,
  }
}

/** Nothing here names a bank, a list or what the picture was taken for (promise 9). */
function sentences(action: ReceiptAction, bankClass: string | undefined, appeal: string): string[] {
  const thing =
    action.kind === 'takedown-blob'
      ? 'a picture or video of yours'
      : action.kind === 'takedown-record'
        ? 'a record of yours'
        : 'a label on a record of yours'
  const done =
    action.kind === 'label'
      ? action.applied
        ? `${thing} was set`
        : `${thing} was taken back`
      : action.applied
        ? `${thing} was taken down`
        : `${thing} was made visible again`
  return [
    `On ${action.ended_at.toISOString()} ${done}.`,
    bankClass === 'restricted'
      ? 'The rule: material that this service must not carry.'
      : 'The rule: material that this service does not want.',
    ...(action.case_file === null ? [] : [`Our case number: ${action.case_file}.`]),
    `To appeal: ${appeal}`,
    'These sentences are for reading; the entries below prove what was recorded.',
  ]
}

/** Never over a file that is there. */
async function writeNew(path: string, text: string): Promise<string> {
  try {
    await using file = await open(path, 'wx', 0o600)
    await file.writeFile(text)
    return path
  } catch (cause) {
    throw new UsageError(`${path} cannot be written, or exists already`, { cause })
  }
}
