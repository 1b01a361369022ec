// import hma: HMA's banks, contents and exchanges come in, with their numbers; said again, what changed since.
import type { Command } from 'commander'
import { openHma, parseHmaAddress } from '../banks/hma-database.ts'
import { openSession } from '../db/session.ts'
import { bankClasses, modes } from '../domain/bank.ts'
import { RetryableError } from '../domain/errors.ts'
import { countHmaImport, planHmaImport, runHmaImport } from '../roles/import-hma.ts'
import type { HmaImportOptions } from '../roles/import-hma.ts'
import { lockKeys } from '../service-locks.ts'
import { needDataKey } from './backup.ts'
import { withExamples } from './examples.ts'
import { printHmaImport } from './import-hma-text.ts'
import type { Io } from './io.ts'
import { hmaProgress } from './hma-progress.ts'
import { parseOneOf } from './parse.ts'
import { whileThereIsRoom } from './low-disk.ts'
import { withSession } from './session.ts'
import type { CommandSession } from './session.ts'

type Options = {
  mode: string
  class: string
  dryRun?: boolean
  credentials?: boolean
  exchangesOn?: boolean
  lookBack?: boolean
  removals?: boolean
  moved?: boolean
  json?: boolean
}

export function addImportHma(command: Command, io: Io): void {
  withExamples(
    command
      .command('hma')
      .description(
        'bring in an HMA: banks, contents with their numbers, exchanges; again brings what changed since. It is only read',
      )
      .argument('<DATABASE_URL>', "of HMA's own Postgres, as a role that may read it")
      .option('--mode <MODE>', `of banks that are new here: ${modes.join(', ')}`, 'observe')
      .option(
        '--class <CLASS>',
        `of banks that are new here: ${bankClasses.join(', ')}`,
        'restricted',
      )
      .option('--dry-run', 'read, compare and count; change nothing')
      .option('--credentials', "bring the exchanges' credentials too, sealed under the data key")
      .option('--exchanges-on', 'exchanges fetch here from now on, where they did in HMA')
      .option('--look-back', 'compare what was scanned before also with banks that observe')
      .option('--removals', 'much is gone from HMA since the last import, and that is meant')
      .option('--moved', 'the same HMA in another database than the last time')
      .option('--json', 'print the result as JSON')
      .action((url: string, options: Options) => run(io, url, options)),
    [
      'import hma postgres://hma_reader@10.0.0.5/media_match --dry-run',
      'import hma postgres://hma_reader@10.0.0.5/media_match',
      'import hma postgres://hma_reader@10.0.0.5/media_match --credentials --exchanges-on',
    ],
  )
}

async function run(io: Io, url: string, options: Options): Promise<void> {
  const mode = parseOneOf(options.mode, '--mode', modes)
  const bankClass = parseOneOf(options.class, '--class', bankClasses)
  const address = parseHmaAddress(url)
  await withSession(io, async (session) => {
    await using _ = await holdImport(session)
    using room = await whileThereIsRoom(session.config, io.stop)
    const hma = openHma(address, { log: session.log, readOnly: true })
    try {
      const importing: HmaImportOptions = {
        db: session.db,
        hma,
        mode,
        class: bankClass,
        exchangesOn: options.exchangesOn === true,
        lookBack: options.lookBack === true,
        moved: options.moved === true,
        removals: options.removals === true,
        deletesPercent: session.config.admission.importDeletesPercent,
        credentials: options.credentials === true ? await needDataKey(session) : undefined,
        principal: options.dryRun === true ? 0 : await session.principal(),
        clock: session.nowMs,
        onProgress: hmaProgress(io, 'contents'),
        signal: room.signal,
      }
      await importOrCount(io, importing, options)
    } finally {
      await hma.end({ timeout: 2 })
    }
  })
}

async function importOrCount(io: Io, importing: HmaImportOptions, options: Options): Promise<void> {
  const plan = await planHmaImport(importing)
  if (plan.facts.writable.length > 0)
    io.err(
      'this role could write to HMA’s tables; a role that only reads is enough (docs/from-hma.md)',
    )
  const isDryRun = options.dryRun === true
  const result = isDryRun
    ? await countHmaImport(importing, plan)
    : await runHmaImport(importing, plan)
  await printHmaImport(io, importing.db, { plan, result, isDryRun, json: options.json === true })
}

/** Two at once would bring in the same pages. Free again as soon as this process is gone. */
async function holdImport({ database, log }: CommandSession): Promise<AsyncDisposable> {
  const session = await openSession(database.appAddress, {
    applicationName: 'blobwatch import',
    log,
  })
  const [row] = await session.sql<{ got: boolean }[]>`
    select pg_try_advisory_lock(${String(lockKeys.importHma)}::bigint) as got`
  if (row?.got === true) return session
  await session[Symbol.asyncDispose]()
  throw new RetryableError('another import from HMA is running: this one changed nothing')
}
