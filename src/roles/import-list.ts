// A list comes into a bank: staged, compared with what the bank has, tested, perhaps approved, applied.
//
// Promises: constant memory; nothing is in the bank before all of the list was read and tested. Killed at any moment, the
// same call goes on where it was: no line is lost and none comes in twice.
import { createHash } from 'node:crypto'
import type { AdmissionResult } from '../banks/admission.ts'
import { recordAdmission } from '../banks/admission-store.ts'
import { readBenignSet } from '../banks/benign.ts'
import type { BenignSet } from '../banks/benign.ts'
import {
  addedLines,
  applyLines,
  compareLines,
  decideImport,
  endStaging,
  importCounts,
  importLimits,
  refusedLines,
  stageLines,
} from '../banks/import-steps.ts'
import type {
  ImportCounts,
  ImportDecision,
  RefusedLines,
  StagedLine,
} from '../banks/import-steps.ts'
import { readList } from '../banks/list-format.ts'
import type { ListFormat, ReadLine } from '../banks/list-format.ts'
import type { NewSignal, SignalRefusal } from '../banks/new-signal.ts'
import type { Database } from '../db/client.ts'
import { ask } from '../db/client.ts'
import type { OtherTypes } from '../domain/other-type.ts'
import type { Bank } from '../domain/bank.ts'
import { RetryableError } from '../domain/errors.ts'
import { stopIfAsked } from './stop-if-asked.ts'
import { actionsOf, previewSignals, seenFacts } from './admit.ts'
import type { AdmissionSettings } from './admit.ts'
import { previewContents } from './preview.ts'

export type ImportPhase = 'read' | 'compare' | 'look back' | 'apply'
/** `of`: undefined while it is not known. `lines`: where `done` counts something else, the lines until now. */
export type OnImportProgress = (
  phase: ImportPhase,
  done: number,
  of: number | undefined,
  lines?: number,
) => void

export type ImportOptions = {
  db: Database
  bank: Bank
  import: number
  /** The types of plug-ins that a list may hold. */
  others: OtherTypes
  settings: AdmissionSettings
  principal: number
  clock: () => number
  onProgress: OnImportProgress
  signal: AbortSignal
}

/** A list of this many items or more is looked at in part: one page of preview must fit in memory. */
const previewItemsMax = 50_000
/** Hashes of the list times hashes that were seen, for some ten minutes of comparing. */
const previewPairsMax = 6e10
const overLimitShown = 20

/** Reads the list to its end into the staging table. `staged`: lines that are there already. */
export async function stageList(
  options: ImportOptions,
  input: {
    chunks: AsyncIterable<Uint8Array>
    bytes: number | undefined
    format: ListFormat
    staged: number
  },
): Promise<void> {
  const { db, bank, onProgress } = options
  const benign = bank.policy.suppresses === undefined ? await readBenignSet(db, bank.id) : undefined
  const digest = createHash('sha256')
  let read = 0
  async function* counted(): AsyncGenerator<Uint8Array> {
    for await (const chunk of input.chunks) {
      stopIfAsked(options.signal)
      digest.update(chunk)
      read += chunk.length
      yield chunk
    }
  }
  let from = input.staged
  let lines: StagedLine[] = []
  let last = 0
  let chars = 0
  let staging: Promise<void> = Promise.resolve()
  // One batch is on its way to the database while the next one is read.
  const flush = async () => {
    await staging
    const batch = { import: options.import, from, to: Math.max(from, last), lines }
    staging = stageBatch(db, batch).then(() => onProgress('read', read, input.bytes, batch.to))
    staging.catch(() => undefined)
    from = batch.to
    lines = []
    chars = 0
  }
  for await (const one of readList(counted(), input.format, options.others)) {
    last = one.lastLine
    if (one.line <= from) continue
    const line = stagedLine(one, benign, bank)
    lines.push(line)
    chars += JSON.stringify(line).length
    if (lines.length >= importLimits.stageLines || chars >= importLimits.stageChars) await flush()
  }
  await flush()
  await staging
  await endStaging(db, { import: options.import, digest: digest.digest('hex') })
}

async function stageBatch(db: Database, batch: Parameters<typeof stageLines>[1]): Promise<void> {
  const staged = await stageLines(db, batch)
  if (staged !== batch.to)
    throw new RetryableError('another process imports this list as well: one is enough')
}

function stagedLine(one: ReadLine, benign: BenignSet | undefined, bank: Bank): StagedLine {
  const { item, line, refused } = one
  if (item === undefined) return { line, key: one.key ?? '', ...(refused && { refused }) }
  const max = bank.policy.pdqDistanceMax
  if (item.signals.some((signal) => benign?.hit(signal, max) !== undefined))
    return { line, key: item.key, refused: 'harmless' }
  return { line, ...item, ...(refused && { refused }) }
}

export type ImportFacts = {
  counts: ImportCounts
  refused: RefusedLines[]
  result: AdmissionResult
  actions: ReturnType<typeof actionsOf>
  /** Lines that alone match more accounts than one person may answer for; the first of them. */
  overLimit: { line: number; accounts: number }[]
}

/** What the staged list would do. Reads only, but for the comparison that it completes. */
export async function examineImport(options: ImportOptions): Promise<ImportFacts> {
  const { db, settings } = options
  for (;;) {
    stopIfAsked(options.signal)
    const { position, compared } = await compareLines(db, options.import)
    const { staged } = await importCounts(db, options.import)
    options.onProgress('compare', Math.min(position, staged), staged)
    if (compared) break
  }
  const counts = await importCounts(db, options.import)
  const refused = await refusedLines(db, { import: options.import, staged: counts.staged })
  const items = await readSample(options, counts)
  const preview = await previewContents({
    db,
    contents: items.map(({ signals }) => previewSignals(signals, options.bank, options.others)),
    keepDays: settings.keepDays,
    nowMs: options.clock(),
    onProgress: (done, of) => options.onProgress('look back', done, of),
    signal: options.signal,
  })
  const over = [...preview.byContent]
    .filter(([, { accounts }]) => accounts > settings.admission.secondPersonAccounts)
    .map(([index, { accounts }]) => ({ line: items[index]?.line ?? 0, accounts }))
  const actions = actionsOf(preview, options.bank, settings)
  const leftOut = refused.filter(({ reason }) => isSignalRefusal(reason))
  return {
    counts,
    refused,
    actions,
    overLimit: over.slice(0, overLimitShown),
    result: {
      contents: counts.adds,
      refused: Object.fromEntries(leftOut.map(({ reason, count }) => [reason, count])),
      harmless: refused.find(({ reason }) => reason === 'harmless')?.count ?? 0,
      seen: seenFacts({
        settings,
        comparedBlobs: preview.comparedBlobs,
        comparedContents: items.length,
        total: preview.total,
        takedowns: actions.takedowns,
        labels: actions.labels,
        overLimit: over.length,
      }),
    },
  }
}

const signalRefusals: readonly string[] = [
  'low-quality',
  'abnormal-popcount',
  'flat',
  'periodic',
  'empty-file',
  'constant',
] satisfies SignalRefusal[]

function isSignalRefusal(reason: string): boolean {
  return signalRefusals.includes(reason)
}

/** All that would come in, or a part of it spread over the list. */
async function readSample(
  { db, import: id }: ImportOptions,
  { adds, staged }: ImportCounts,
): Promise<{ line: number; signals: NewSignal[] }[]> {
  if (adds === 0) return []
  const [row] = await ask(
    'estimate the stored blobs',
    db<{ blobs: number }[]>`
      select coalesce(sum(greatest(c.reltuples, 0)), 0)::bigint as blobs
      from pg_inherits i join pg_class c on c.oid = i.inhrelid where i.inhparent = 'blob'::regclass`,
  )
  const affordable = Math.floor(previewPairsMax / Math.max(1, row?.blobs ?? 0))
  const max = Math.max(1_000, Math.min(previewItemsMax, affordable))
  const every = Math.max(1, Math.ceil(adds / max))
  const items: { line: number; signals: NewSignal[] }[] = []
  const limit = importLimits.applyLines
  for (let after = 0; after < staged;) {
    const through = after + importLimits.lookLines
    const page = await addedLines(db, { import: id, every, after, through, limit })
    items.push(...page)
    after = page.length < limit ? through : (page.at(-1)?.line ?? through)
  }
  return items
}

/** Starts the import, or asks a second person. */
export async function admitImport(
  options: ImportOptions,
  facts: ImportFacts,
): Promise<ImportDecision> {
  const { db, bank, principal, clock, settings } = options
  const admission = await recordAdmission(db, {
    bank: bank.name,
    kind: 'import',
    verdict: facts.overLimit.length > 0 ? 'waits' : 'passed',
    result: facts.result,
    principal,
    nowMs: clock(),
  })
  return decideImport(db, {
    import: options.import,
    admission,
    addsPercent: settings.admission.importAddsPercent,
    deletesPercent: settings.admission.importDeletesPercent,
    principal,
    nowMs: clock(),
  })
}

export type Applied = { added: number; removed: number; unchanged: number }

/** Brings in what is staged and may come in. Counts what this call did; the ledger has the whole. */
export async function applyImport(
  options: Omit<ImportOptions, 'bank' | 'others' | 'settings'>,
): Promise<Applied> {
  const { db, principal, clock } = options
  const { position, staged, deletes } = await importCounts(db, options.import)
  const done: Applied = { added: 0, removed: 0, unchanged: 0 }
  for (let from = position; ;) {
    stopIfAsked(options.signal)
    const input = { import: options.import, from, principal, nowMs: clock() }
    const applied = await applyLines(db, input)
    done.added += applied.adds
    done.removed += applied.deletes
    done.unchanged += applied.same
    from = applied.position
    options.onProgress('apply', from, staged + deletes, from)
    if (applied.state !== 'applying') return done
  }
}
