// ledger log: the newest entries, oldest of them first, and with --follow what comes after.
import { setTimeout as sleep } from 'node:timers/promises'
import type { Command } from 'commander'
import type { Database } from '../db/client.ts'
import { newestEntries, readEntries, readHead } from '../ledger/read-ledger.ts'
import type { StoredEntry } from '../ledger/read-ledger.ts'
import type { Io } from './io.ts'
import { withExamples } from './examples.ts'
import { printJson } from './output.ts'
import { pageLimits } from './paging.ts'
import { parseWhole } from './parse.ts'
import { withSession } from './session.ts'

type LogOptions = { follow?: boolean; type?: string; limit: string; json?: boolean }

const followMs = 500

export function addLedgerLog(command: Command, io: Io): void {
  withExamples(
    command
      .command('log')
      .description(
        'the newest entries as they are written; personal values are commitments in them',
      )
      .option('--follow', 'go on as entries are appended, until Ctrl-C; with --json a line each')
      .option('--type <TYPE>', 'only this type, for example action.result')
      .option('--limit <N>', 'how many to begin with', '20')
      .option('--json', 'print the result as JSON')
      .action((options: LogOptions) => run(io, options)),
    ['ledger log', 'ledger log --type case.confirm --limit 5', 'ledger log --follow --json'],
  )
}

type Shown = {
  seq: number
  t: string
  type: string
  actor: { kind?: string; principal?: number }
  pub: object
}

async function run(io: Io, options: LogOptions): Promise<void> {
  const limit = parseWhole(options.limit, '--limit', { min: 1, max: pageLimits.rowsMax })
  const follow = options.follow === true
  await withSession(io, async ({ db }) => {
    const size = (await readHead(db))?.size ?? 0
    const newest = await newestEntries(db, { type: options.type, before: size, limit })
    const entries = newest.map(parseStored).toReversed()
    if (options.json === true && !follow) printJson(io, { entries })
    else if (entries.length === 0 && !follow) io.out('There is no such entry.')
    else for (const entry of entries) io.out(line(entry, options))
    if (follow) await followFrom(io, db, size, options)
  })
}

async function followFrom(io: Io, db: Database, from: number, options: LogOptions): Promise<void> {
  let next = from
  while (!io.stop.aborted) {
    const size = (await readHead(db))?.size ?? 0
    for await (const page of readEntries(db, { from: next, to: size })) {
      for (const entry of page.map(parseStored)) {
        if (options.type === undefined || entry.type === options.type) io.out(line(entry, options))
      }
    }
    next = Math.max(next, size)
    // Rejects when we are asked to stop, which the loop sees.
    await sleep(followMs, undefined, { signal: io.stop }).catch(() => undefined)
  }
}

function parseStored(entry: StoredEntry): Shown {
  const document = JSON.parse(entry.bytes.toString('utf8')) as Shown
  return {
    seq: entry.seq,
    t: document.t,
    type: document.type,
    actor: document.actor,
    pub: document.pub,
  }
}

function line(entry: Shown, { json }: LogOptions): string {
  if (json === true) return JSON.stringify(entry)
  const { principal, kind } = entry.actor
  const who = principal === undefined ? (kind ?? '') : `p${principal}`
  return `${String(entry.seq).padStart(6)}  ${entry.t}  ${entry.type.padEnd(16)}  ${who.padEnd(6)}  ${JSON.stringify(entry.pub)}`
}
