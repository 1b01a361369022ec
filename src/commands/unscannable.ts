// unscannable: what no verdict could be had for. Nothing of it counts as clear.
import type { Command } from 'commander'
import { listUnscannable, retryUnscannable, unscannableByReason } from '../cases/unscannable.ts'
import { contentReasons, hostReasons, otherReasons } from '../domain/blob.ts'
import { blobCidOf, blobDigest } from '../domain/cid.ts'
import { UsageError } from '../domain/errors.ts'
import type { Io } from './io.ts'
import { withExamples } from './examples.ts'
import { count, printJson, printSection, printTable, shortTime } from './output.ts'
import { addPaging, onPage, parsePage, tellMore } from './paging.ts'
import type { PageOptions } from './paging.ts'
import { parseOneOf } from './parse.ts'
import { withSession } from './session.ts'

const reasons = [...contentReasons, ...hostReasons, ...otherReasons] as const
const retryMax = 10_000

type ListOptions = PageOptions & { reason?: string; json?: boolean }
type RetryOptions = { reason?: string; json?: boolean }

export function addUnscannable(program: Command, io: Io): void {
  const command = program.command('unscannable').description('blobs without a verdict: list, retry')
  const list = command
    .command('list')
    .description('how many for which reason, then the newest')
    .option('--reason <REASON>', 'only this reason')
    .option('--json', 'print the result as JSON')
    .action((options: ListOptions) => runList(io, options))
  withExamples(addPaging(list), ['unscannable list', 'unscannable list --reason not-found'])
  withExamples(
    command
      .command('retry')
      .description('scan again: one blob, all of a reason, or all that another try may help')
      .argument('[CID]', 'one blob')
      .option('--reason <REASON>', 'all of this reason')
      .option('--json', 'print the result as JSON')
      .action((cid: string | undefined, options: RetryOptions) => runRetry(io, cid, options)),
    ['unscannable retry', 'unscannable retry --reason timeout'],
  )
}

async function runList(io: Io, options: ListOptions): Promise<void> {
  const page = parsePage(options)
  const reason = parseReason(options.reason)
  await withSession(io, async ({ db }) => {
    const byReason = await unscannableByReason(db)
    const read = await listUnscannable(db, { reason, limit: page.limit + 1, offset: page.offset })
    const { rows, more } = onPage(read, page)
    if (options.json === true) {
      const blobs = rows.map(({ cid, spelled, ...rest }) => ({
        cid: spelled ?? blobCidOf(cid),
        ...rest,
      }))
      printJson(io, { byReason, blobs, page: page.number, more })
      return
    }
    printTable(
      io,
      byReason,
      [
        { head: 'reason', cell: (row) => row.reason },
        { head: 'blobs', cell: (row) => row.blobs, align: 'right' },
        { head: 'newest', cell: (row) => shortTime(row.newest) },
      ],
      'Nothing is unscannable.',
    )
    printSection(io, 'Newest', rows, [
      { head: 'blob', cell: (row) => row.spelled ?? blobCidOf(row.cid) },
      { head: 'reason', cell: (row) => row.reason },
      { head: 'kind', cell: (row) => row.kind ?? '' },
      { head: 'bytes', cell: (row) => row.bytes ?? '', align: 'right' },
      { head: 'seen in', cell: (row) => row.sightings, align: 'right' },
      { head: 'settled', cell: (row) => shortTime(row.at) },
    ])
    tellMore(io, page, more)
  })
}

async function runRetry(io: Io, cid: string | undefined, options: RetryOptions): Promise<void> {
  const reason = parseReason(options.reason)
  if (reason === 'unsupported-cid') {
    throw new UsageError(
      'a reference that is no verifiable CID stays so: there is nothing to fetch',
    )
  }
  const digest = cid === undefined ? undefined : blobDigest(cid)
  if (cid !== undefined && digest === undefined)
    throw new UsageError(`${cid} is not a blob CID (bafkrei…)`)
  await withSession(io, async (session) => {
    const raised = await retryUnscannable(session.db, {
      ...(digest !== undefined && { cid: digest }),
      ...(reason !== undefined && { reason }),
      limit: retryMax,
      principal: await session.principal(),
      nowMs: session.nowMs(),
    })
    if (options.json === true) printJson(io, { raised })
    else if (raised === 0) io.out('Nothing to try again: no such unscannable blob.')
    else io.out(`${count(raised, 'blob')} will be fetched and scanned again by a running service.`)
  })
}

function parseReason(text: string | undefined): string | undefined {
  return text === undefined ? undefined : parseOneOf(text, '--reason', reasons)
}
