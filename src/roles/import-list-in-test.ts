// A list that is imported in a test, and what the bank has then.
import { createHash } from 'node:crypto'
import { sha256Of, startMs } from '../banks/bank-in-test.ts'
import type { Banks } from '../banks/bank-in-test.ts'
import { listContents } from '../banks/bank-contents.ts'
import type { ContentRow } from '../banks/bank-contents.ts'
import { bankNamed } from '../banks/bank-store.ts'
import { openImport } from '../banks/import-steps.ts'
import type { ImportDecision } from '../banks/import-steps.ts'
import { noOtherTypes } from '../domain/other-type.ts'
import { admitImport, applyImport, examineImport, stageList } from './import-list.ts'
import type { Applied, ImportFacts, ImportOptions } from './import-list.ts'

export const pdq = 'f8f8f0cee0f4a84f06370a22038f63f0b36e2ed596621e1d33e6b39c4e9c9b22'

export const settings: ImportOptions['settings'] = {
  keepDays: 30,
  limits: {
    takedownsPerDay: 200,
    labelsPerDay: 2000,
    actionsPerContent: 50,
    floodBlobs: 25,
    floodAccounts: 50,
    floodFactor: 5,
  },
  admission: { secondPersonAccounts: 1000, importAddsPercent: 20, importDeletesPercent: 5 },
  pdsRequestsPerSecond: 50,
}

export async function* chunksOf(text: string): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < text.length; at += 1000) yield Buffer.from(text.slice(at, at + 1000))
}

export function listOf(ids: number[], words: (id: number) => string = () => ''): string {
  return ['id,sha256,note', ...ids.map((id) => `i${id},${sha256Of(`${id}`)},${words(id)}`)].join(
    '\n',
  )
}

export const upTo = (count: number, from = 0) => Array.from({ length: count }, (_, n) => from + n)

type Imported = {
  id: number
  running: ImportOptions
  facts: ImportFacts
  decision: ImportDecision
  applied?: Applied
}

export async function importText(
  banks: Banks,
  text: string,
  options: { replaces?: boolean; source?: string; bank?: string; nowMs?: number } = {},
): Promise<Imported> {
  const { db, principal } = banks
  const nowMs = options.nowMs ?? startMs
  const bank = await bankNamed(db, options.bank ?? 'BAD')
  const opened = await openImport(db, {
    bank: bank.name,
    source: options.source ?? 'list',
    digest: createHash('sha256').update(text).digest('hex'),
    replaces: options.replaces ?? false,
    principal,
    nowMs,
  })
  const running: ImportOptions = {
    db,
    bank,
    import: opened.import,
    others: noOtherTypes,
    settings,
    principal,
    clock: () => nowMs,
    onProgress: () => undefined,
    signal: new AbortController().signal,
  }
  await stageList(running, {
    chunks: chunksOf(text),
    bytes: text.length,
    format: 'csv',
    staged: opened.staged,
  })
  const facts = await examineImport(running)
  const decision = await admitImport(running, facts)
  const applied = decision.state === 'applying' ? await applyImport(running) : undefined
  return { id: opened.import, running, facts, decision, ...(applied && { applied }) }
}

export async function contents(banks: Banks, bank = 'BAD'): Promise<ContentRow[]> {
  const { id } = await bankNamed(banks.db, bank)
  return [...(await listContents(banks.db, { bank: id, withValues: true, limit: 1000, offset: 0 }))]
}

export const keys = (rows: ContentRow[]) => rows.map((row) => row.sourceKey)
