// ledger verify: computes every byte of the ledger anew, from the database or from an exported copy.
import type { Command } from 'commander'
import { UsageError } from '../domain/errors.ts'
import { readEntries, readHead, readPrivate } from '../ledger/read-ledger.ts'
import { createVerifier } from '../ledger/verify.ts'
import type { LedgerReport } from '../ledger/verify.ts'
import type { Io } from './io.ts'
import { findDataKey } from './data-key.ts'
import { withExamples } from './examples.ts'
import { exitCodes } from './exit-codes.ts'
import { readLedgerFile } from './ledger-file.ts'
import { count, printJson, printTable } from './output.ts'
import { withSession } from './session.ts'

type VerifyOptions = { file?: string; expect?: string; json?: boolean }
type Head = { size: number; hash: string }

const progressEvery = 50_000

export function addLedgerVerify(command: Command, io: Io): void {
  withExamples(
    command
      .command('verify')
      .description(
        'check bytes, links, order, time and commitments of every entry; exit code 1 with what does not hold',
      )
      .option('--file <PATH>', 'an exported copy instead of the database')
      .option(
        '--expect <SIZE:HASH>',
        'a head that was written down earlier: the ledger must still contain it',
      )
      .option('--json', 'print the result as JSON')
      .action((options: VerifyOptions) => run(io, options)),
    ['ledger verify', 'ledger verify --file ledger.jsonl', 'ledger verify --expect 1200:9f86d081…'],
  )
}

async function run(io: Io, options: VerifyOptions): Promise<void> {
  const pin = options.expect === undefined ? undefined : parsePin(options.expect)
  const report =
    options.file === undefined
      ? await verifyDatabase(io, pin)
      : await verifyFile(io, options.file, pin)
  if (report === undefined) {
    if (options.json === true) printJson(io, { ok: pin === undefined, entries: 0, faults: [] })
    else io.out('There is no ledger yet: it begins with the first start of the service.')
    if (pin !== undefined) io.setExitCode(exitCodes.notOk)
    return
  }
  const ok = report.faults.length === 0
  if (!ok) io.setExitCode(exitCodes.notOk)
  if (options.json === true) printJson(io, { ok, ...report })
  else printReport(io, report, options.file)
}

async function verifyDatabase(io: Io, pin: Head | undefined): Promise<LedgerReport | undefined> {
  return await withSession(io, async ({ config, db }) => {
    const head = await readHead(db)
    if (head === undefined) return undefined
    const dataKey = await findDataKey(config, db)
    if (dataKey === undefined)
      io.err('No data key on this machine: kept values are not compared with their commitments.')
    const verifier = createVerifier(head.log)
    const pinned = createPin(pin)
    let done = 0
    for await (const entries of readEntries(db, { from: 0, to: head.size })) {
      verifier.add(entries, await readPrivate(db, entries, dataKey))
      pinned.look(entries)
      done += entries.length
      if (done % progressEvery === 0) io.err(`${done} of ${head.size} entries`)
    }
    return pinned.judge(verifier.end(head))
  })
}

async function verifyFile(io: Io, path: string, pin: Head | undefined): Promise<LedgerReport> {
  const verifier = createVerifier()
  const pinned = createPin(pin)
  const unreadable: LedgerReport['faults'] = []
  let done = 0
  for await (const line of readLedgerFile(path)) {
    if ('problem' in line) unreadable.push({ seq: null, problem: line.problem })
    else {
      verifier.add([line])
      pinned.look([line])
    }
    done += 1
    if (done % progressEvery === 0) io.err(`${done} entries`)
  }
  const report = pinned.judge(verifier.end(undefined))
  return { ...report, faults: [...unreadable.slice(0, 100), ...report.faults] }
}

/** A head somebody wrote down: entry SIZE - 1 must still have that hash. Finds a truncated or rewritten log. */
function createPin(pin: Head | undefined) {
  let found: string | undefined
  return {
    look(entries: readonly { seq: number; hash: Buffer }[]): void {
      const entry = pin && entries.find(({ seq }) => seq === pin.size - 1)
      if (entry !== undefined) found = entry.hash.toString('hex')
    },
    judge(report: LedgerReport): LedgerReport {
      if (pin === undefined || found === pin.hash) return report
      const problem =
        found === undefined
          ? `the ledger is shorter than the ${pin.size} entries that it had`
          : 'the entry at the expected head is another one'
      return { ...report, faults: [...report.faults, { seq: pin.size - 1, problem }] }
    },
  }
}

function parsePin(text: string): Head {
  const [, size, hash] = /^(\d{1,15}):([0-9a-f]{64})$/i.exec(text) ?? []
  if (size === undefined || hash === undefined || Number(size) === 0) {
    throw new UsageError('--expect is SIZE:HASH, as ledger verify prints it')
  }
  return { size: Number(size), hash: hash.toLowerCase() }
}

function printReport(io: Io, report: LedgerReport, file: string | undefined): void {
  const { entries, faults, openIntents, commitments } = report
  if (faults.length > 0) {
    printTable(
      io,
      faults,
      [
        { head: 'entry', cell: (row) => row.seq ?? '', align: 'right' },
        { head: 'what does not hold', cell: (row) => row.problem },
      ],
      '',
    )
    io.out(
      `The ledger does NOT hold: ${count(faults.length, 'fault')} in ${count(entries, 'entry', 'entries')}.`,
    )
    return
  }
  io.out(`The ledger holds: ${count(entries, 'entry', 'entries')}, head ${entries}:${report.head}`)
  if (file === undefined) {
    io.out(
      `${count(commitments.opened, 'kept value')} compared with their commitments; ${commitments.erased} erased or not opened.`,
    )
  }
  if (openIntents > 0)
    io.out(`${count(openIntents, 'intent')} without a result yet: on the way, or in hold list.`)
}
