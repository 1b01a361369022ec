// ledger log: entries that were asked for, the newest unless said otherwise, and with --follow what comes after.
import { setTimeout as sleep } from 'node:timers/promises'
import type { Command } from 'commander'
import type { Database } from '../db/client.ts'
import { UsageError } from '../domain/errors.ts'
import { findEntries, holds, parseRead, seqAtTime } from '../ledger/find-entries.ts'
import type { Condition, Range, ReadEntry } from '../ledger/find-entries.ts'
import { readEntries, readHead, readPrivate } from '../ledger/read-ledger.ts'
import type { DataKey } from '../ledger/seal.ts'
import { firstThatMayHold } from '../roles/ledger-filter.ts'
import type { Io } from './io.ts'
import { findDataKey } from './data-key.ts'
import { withExamples } from './examples.ts'
import { readConditions } from './ledger-log-filter.ts'
import type { FilterOptions } from './ledger-log-filter.ts'
import { printJson } from './output.ts'
import { pageLimits } from './paging.ts'
import { parseMoment, parseWhole } from './parse.ts'
import { withSession } from './session.ts'
import type { CommandSession } from './session.ts'

type LogOptions = FilterOptions & {
  follow?: boolean
  since?: string
  until?: string
  before?: string
  after?: string
  oldestFirst?: boolean
  newest?: boolean
  limit: string
  json?: boolean
}
type Order = 'newest' | 'oldest'

const followMs = 500
/** A search that looks at more than this says so before it begins, and how far it is after as many again. */
const longSearch = 200_000

export function addLedgerLog(command: Command, io: Io): void {
  withExamples(
    command
      .command('log')
      .description(
        'the newest entries as they are written; personal values are commitments in them',
      )
      .option('--follow', 'go on as entries are appended, until Ctrl-C; with --json a line each')
      .option(
        '--type <TYPE...>',
        'only these types: action.result, or case.* for all that begin so',
      )
      .option('--grep <PREFIX>', 'only types that begin so, for example bank.')
      .option('--since <WHEN>', 'from then on: 2026-11-01T12:00Z, 2026-11-01, or 7d, 24h back')
      .option('--until <WHEN>', 'before then; the same forms')
      .option('--case <N>', 'about this case, with its decisions and their actions')
      .option('--bank <NAME>', 'about this bank')
      .option('--action <N>', 'about this action')
      .option('--actor <WHO>', 'by this person or service: a name, p3, or system')
      .option(
        '--subject <WHAT>',
        'about this account (DID), record (at://) or blob (CID); needs the data key on this machine',
      )
      .option('--oldest-first', 'begin with the oldest')
      .option('--newest', 'print the newest at the top')
      .option('--before <SEQ>', 'entries before this one: the next page of older ones')
      .option('--after <SEQ>', 'entries after this one: the next page with --oldest-first')
      .option('--limit <N>', 'how many to begin with', '20')
      .option('--json', 'print the result as JSON')
      .action((options: LogOptions) => run(io, options)),
    [
      'ledger log',
      "ledger log --type 'case.*' --since 7d --limit 50",
      'ledger log --case 7 --oldest-first',
      'ledger log --actor erin --until 2026-11-01 --before 1200',
      'ledger log --subject did:plc:ewvi7nxzyoun6zhxrhs64oiz',
      'ledger log --follow --json',
    ],
  )
}

async function run(io: Io, options: LogOptions): Promise<void> {
  const limit = parseWhole(options.limit, '--limit', { min: 1, max: pageLimits.rowsMax })
  const order = orderOf(options)
  const follow = options.follow === true
  await withSession(io, async (session) => {
    const { db } = session
    const size = (await readHead(db))?.size ?? 0
    const conditions = await readConditions(session, options)
    const range = await rangeOf(session, { options, size, conditions })
    const found = await findEntries(db, {
      range,
      conditions,
      limit: limit + 1,
      order,
      onLooked: lookedAt(io, range, conditions),
      signal: io.stop,
    })
    const more = found.length > limit
    const page = found.slice(0, limit)
    const next = more ? page.at(-1)?.seq : undefined
    const shown = order === 'newest' && options.newest !== true ? page.toReversed() : page
    if (options.json === true && !follow) {
      printJson(io, { entries: shown.map(forMachines), more, next: next ?? null })
    } else if (shown.length === 0 && !follow) io.out('There is no such entry.')
    else for (const entry of shown) io.out(line(entry, options))
    if (next !== undefined && options.json !== true && !follow)
      io.err(`There is more: ${order === 'newest' ? '--before' : '--after'} ${next}`)
    if (follow) await followFrom(io, session, { from: size, conditions, options })
  })
}

function orderOf(options: LogOptions): Order {
  const oldest = options.oldestFirst === true
  if (oldest && options.newest === true)
    throw new UsageError('--oldest-first and --newest say two things: one of them')
  if (options.after !== undefined && !oldest)
    throw new UsageError('--after goes on with --oldest-first; older entries are --before')
  if (options.follow === true && (oldest || options.newest === true || options.until !== undefined))
    throw new UsageError('--follow goes on with what comes: no --oldest-first, --newest or --until')
  return oldest ? 'oldest' : 'newest'
}

async function rangeOf(
  { db, nowMs }: CommandSession,
  input: { options: LogOptions; size: number; conditions: readonly Condition[] },
): Promise<Range> {
  const { options, size } = input
  const seq = { min: 0, max: Number.MAX_SAFE_INTEGER }
  const at = async (text: string | undefined, what: string) =>
    text === undefined ? undefined : seqAtTime(db, parseMoment(text, what, nowMs()), size)
  const since = await at(options.since, '--since')
  const until = await at(options.until, '--until')
  const notBefore = await firstThatMayHold(db, input.conditions, size)
  const { before, after } = options
  return {
    from: Math.max(
      since ?? 0,
      notBefore,
      after === undefined ? 0 : parseWhole(after, '--after', seq) + 1,
    ),
    to: Math.min(until ?? size, before === undefined ? size : parseWhole(before, '--before', seq)),
  }
}

/** No index knows what entries say: a long search tells that it is one, and how far it is. */
function lookedAt(io: Io, range: Range, conditions: readonly Condition[]) {
  const total = range.to - range.from
  const known = conditions.some((condition) => condition.needles.length === 0)
  if (total <= longSearch || conditions.length === 0 || known) return () => undefined
  let looked = 0
  let told = 0
  return (entries: number) => {
    looked += entries
    if (looked - told < longSearch && told > 0) return
    if (told === 0)
      io.err(`Looking through up to ${total} entries one after the other; --since narrows it.`)
    else io.err(`${looked} of ${total} entries looked at`)
    told = looked
  }
}

async function followFrom(
  io: Io,
  session: CommandSession,
  input: { from: number; conditions: readonly Condition[]; options: LogOptions },
): Promise<void> {
  const { db, config } = session
  const { conditions, options } = input
  const dataKey = options.subject === undefined ? undefined : await findDataKey(config, db)
  let next = input.from
  while (!io.stop.aborted) {
    const size = (await readHead(db))?.size ?? 0
    await printNew(io, db, { range: { from: next, to: size }, conditions, dataKey, options })
    next = Math.max(next, size)
    // Rejects when we are asked to stop, which the loop sees.
    await sleep(followMs, undefined, { signal: io.stop }).catch(() => undefined)
  }
}

async function printNew(
  io: Io,
  db: Database,
  input: {
    range: Range
    conditions: readonly Condition[]
    dataKey: DataKey | undefined
    options: LogOptions
  },
): Promise<void> {
  for await (const page of readEntries(db, input.range)) {
    const open = await readPrivate(db, page, input.dataKey)
    for (const entry of page.map(parseRead)) {
      if (holds(entry, input.conditions, open)) io.out(line(entry, input.options))
    }
  }
}

function forMachines({ seq, t, type, actor, pub }: ReadEntry) {
  return { seq, t, type, actor, pub }
}

function line(entry: ReadEntry, { json }: LogOptions): string {
  if (json === true) return JSON.stringify(forMachines(entry))
  const { principal, kind } = entry.actor
  const who = principal === undefined ? (kind ?? '') : `p${principal}`
  return `${String(entry.seq).padStart(6)}  ${entry.t}  ${entry.type.padEnd(16)}  ${who.padEnd(6)}  ${JSON.stringify(entry.pub)}`
}
