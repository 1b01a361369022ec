// evidence: what the vault keeps. list and show tell words; only open and export give out a file, each after its entry.
import type { Command } from 'commander'
import { blobCidOf } from '../domain/cid.ts'
import { UsageError } from '../domain/errors.ts'
import { destroyRequests, evidenceStates, listEvidence } from '../evidence/evidence-rows.ts'
import type { EvidenceRow } from '../evidence/evidence-rows.ts'
import { parseCase } from './case-show.ts'
import { addEvidenceCheck } from './evidence-check.ts'
import { addEvidenceDestroy } from './evidence-destroy.ts'
import { addEvidenceKeygen } from './evidence-keygen.ts'
import { parseEvidence } from './evidence-session.ts'
import { addEvidenceRead } from './evidence-read.ts'
import { withExamples } from './examples.ts'
import type { Io } from './io.ts'
import { count, printFacts, printJson, printTable, shortTime } from './output.ts'
import type { Column } from './output.ts'
import { addPaging, onPage, parsePage, tellMore } from './paging.ts'
import type { PageOptions } from './paging.ts'
import { parseOneOf } from './parse.ts'
import { withSession } from './session.ts'

type ListOptions = PageOptions & { state: string; case?: string; json?: boolean }

const requestsMax = 20

export function addEvidence(program: Command, io: Io): void {
  const command = program
    .command('evidence')
    .description('the evidence vault: list, show, open, export, destroy, check, keygen')
  const list = command
    .command('list')
    .description('what is kept, newest first; words only')
    .option('--state <STATE>', `there, ${evidenceStates.join(', ')} or all`, 'there')
    .option('--case <NUMBER>', 'of one case')
    .option('--json', 'print the result as JSON')
    .action((options: ListOptions) => runList(io, options))
  withExamples(addPaging(list), ['evidence list', 'evidence list --case 7 --state all --json'])
  withExamples(
    command
      .command('show')
      .description('one piece of evidence: what is known of it, its clocks and requests; no bytes')
      .argument('<ID>', 'the evidence')
      .option('--json', 'print the result as JSON')
      .action((id: string, options: { json?: boolean }) => runShow(io, id, options)),
    ['evidence show 12'],
  )
  addEvidenceRead(command, io)
  addEvidenceDestroy(command, io)
  addEvidenceCheck(command, io)
  addEvidenceKeygen(command, io)
}

async function runList(io: Io, options: ListOptions): Promise<void> {
  const page = parsePage(options)
  const state = parseOneOf(options.state, '--state', ['there', ...evidenceStates, 'all'])
  const filter = options.case === undefined ? {} : { caseNumber: parseCase(options.case) }
  const read = await withSession(io, ({ db }) =>
    listEvidence(db, { state, ...filter, limit: page.limit + 1, offset: page.offset }),
  )
  const { rows, more } = onPage(read, page)
  if (options.json === true) {
    printJson(io, { evidence: rows.map(forPeople), page: page.number, more })
    return
  }
  printTable(io, rows, columns, 'No evidence.')
  tellMore(io, page, more)
}

const columns: Column<EvidenceRow>[] = [
  { head: 'evidence', cell: (row) => row.id, align: 'right' },
  { head: 'case', cell: (row) => row.caseNumber, align: 'right' },
  { head: 'state', cell: stateOf },
  { head: 'media', cell: (row) => factOf(row, 'media') ?? '' },
  { head: 'bytes', cell: (row) => factOf(row, 'bytes') ?? '', align: 'right' },
  { head: 'kept', cell: (row) => shortTime(row.keptAt) },
  { head: 'working copy', cell: workingOf },
  { head: 'sealed copy', cell: sealedOf },
]

function stateOf({ state, going, held }: EvidenceRow): string {
  const hold = held ? ', legal hold' : ''
  return going === null ? `${state}${hold}` : `${state}, being destroyed`
}

function workingOf({ workingGoneAt, workingUntil, held }: EvidenceRow): string {
  if (workingGoneAt !== null) return `gone ${shortTime(workingGoneAt)}`
  return held ? 'while the hold stands' : `until ${shortTime(workingUntil)}`
}

function sealedOf({ destroyedAt, sealedUntil, held }: EvidenceRow): string {
  if (destroyedAt !== null) return `gone ${shortTime(destroyedAt)}`
  return held ? 'while the hold stands' : `until ${shortTime(sealedUntil)}`
}

function forPeople(row: EvidenceRow): object {
  const { cid, ...rest } = row
  return { ...rest, cid: blobCidOf(cid) }
}

async function runShow(io: Io, text: string, options: { json?: boolean }): Promise<void> {
  const id = parseEvidence(text)
  await withSession(io, async ({ db }) => {
    const [row] = await listEvidence(db, { state: 'all', id, limit: 1, offset: 0 })
    if (row === undefined) throw new UsageError(`there is no evidence ${id}`)
    const requests = await destroyRequests(db, {
      state: 'all',
      evidence: id,
      limit: requestsMax,
      offset: 0,
    })
    if (options.json === true) {
      printJson(io, { evidence: forPeople(row), requests })
      return
    }
    printFacts(io, [
      ['evidence', row.id],
      ['case', `${row.caseNumber}${row.caseState === null ? '' : ` (${row.caseState})`}`],
      ['state', stateOf(row)],
      ['account', row.did ?? 'erased; the sealed copy names it'],
      ['blob', blobCidOf(row.cid)],
      ...['media', 'bytes', 'bank', 'source', 'seenAt', 'record'].map(
        (name) => [name, factOf(row, name)] as const,
      ),
      ['kept', shortTime(row.keptAt)],
      ['working copy', workingOf(row)],
      ['sealed copy', sealedOf(row)],
      ['destroyed because', row.reason ?? undefined],
    ])
    for (const request of requests)
      io.out(
        `request ${request.request} to destroy it, by ${request.by}, ${shortTime(request.at)}: ${request.state}${request.decidedBy === null ? '' : ` by ${request.decidedBy}`}`,
      )
    if (requests.length === requestsMax) io.out(`The first ${count(requestsMax, 'request')}.`)
  })
}

function factOf({ facts }: EvidenceRow, name: string): string | number | undefined {
  const value = facts[name]
  return typeof value === 'string' || typeof value === 'number' ? value : undefined
}
