// The steps of an import: open, stage, compare, decide, apply. Each moves a number in the statement that did the work, so a
// killed import goes on where it was, and the same step said twice does its work once.
import type { Database } from '../db/client.ts'
import { ask, callStep } from '../db/client.ts'
import type { Hex } from '../domain/blob.ts'
import { crashPoint } from '../telemetry/crash-point.ts'
import type { ListRefusal } from './list-item.ts'
import type { NewSignal } from './new-signal.ts'

export const importLimits = {
  stageLines: 5_000,
  stageChars: 2_000_000,
  compareLines: 5_000,
  applyLines: 5_000,
  /** Of those that are only looked through. */
  lookLines: 200_000,
} as const

export type ImportState = 'staging' | 'staged' | 'waiting' | 'applying' | 'done' | 'refused'

export type OpenImport = {
  import: number
  state: ImportState
  /** Lines of the file that were read. */
  staged: number
  position: number
  compared: boolean
  proposal: number | null
  resumed: boolean
}

/** `digest`: of the file's bytes; absent for a pipe. Throws UsageError when another import of the same list is open. */
export async function openImport(
  db: Database,
  input: {
    bank: string
    source: string
    digest?: Hex | undefined
    replaces: boolean
    principal: number
    nowMs: number
  },
): Promise<OpenImport> {
  const { nowMs, ...rest } = input
  const [row] = await callStep<OpenImport[]>(db, 'open_import_v1', {
    ...rest,
    now: new Date(nowMs),
  })
  if (row === undefined) throw new TypeError('open_import_v1 answers with one row')
  return row
}

/** The imports into this bank that are neither done nor dropped. */
export async function openImports(
  db: Database,
  bank: number,
): Promise<(OpenImport & { source: string })[]> {
  return ask(
    'find the open imports',
    db<(OpenImport & { source: string })[]>`
      select id as import, state, staged, position, compared, proposal, true as resumed, source
      from bank_import where bank = ${bank} and state not in ('done', 'refused') order by id`,
  )
}

export type StagedLine = {
  line: number
  /** Empty where there is no item. */
  key: string
  /** Absent: the line is refused. */
  signals?: NewSignal[]
  refused?: ListRefusal
  note?: string
  metadata?: object
  disableUntilTs?: number
}

/** `from`, `to`: lines of the file read before and after. Returns how many are staged now: `to`, unless another was faster. */
export async function stageLines(
  db: Database,
  input: { import: number; from: number; to: number; lines: StagedLine[] },
): Promise<number> {
  const staged = await callStep<number>(db, 'stage_import_v1', input)
  crashPoint('import-stage:after')
  return staged
}

/** The file is read to its end. */
export async function endStaging(
  db: Database,
  input: { import: number; digest: Hex },
): Promise<void> {
  await callStep(db, 'staged_import_v1', input)
}

/** One page; call until `compared`. */
export async function compareLines(
  db: Database,
  importId: number,
): Promise<{ position: number; compared: boolean }> {
  const [row] = await callStep<{ position: number; compared: boolean }[]>(db, 'compare_import_v1', {
    import: importId,
    limit: importLimits.compareLines,
  })
  if (row === undefined) throw new TypeError('compare_import_v1 answers with one row')
  return row
}

/** Why an import waits for a person: a share that is too large, or items that match too many accounts. */
export type WaitReason = 'accounts' | 'adds' | 'deletes'

export type ImportDecision = {
  state: ImportState
  proposal: number | null
  aloneUntil: Date | null
  reasons: WaitReason[]
}

/** `admission`: of kind import. Starts the import or asks a second person. Idempotent. */
export async function decideImport(
  db: Database,
  input: {
    import: number
    admission: number
    addsPercent: number
    deletesPercent: number
    principal: number
    nowMs: number
  },
): Promise<ImportDecision> {
  const { nowMs, ...rest } = input
  const [row] = await callStep<ImportDecision[]>(db, 'decide_import_v1', {
    ...rest,
    now: new Date(nowMs),
  })
  if (row === undefined) throw new TypeError('decide_import_v1 answers with one row')
  return row
}

export type AppliedLines = {
  state: ImportState
  position: number
  adds: number
  deletes: number
  same: number
}

/** The next lines come in, all or none. With the last ones the import is done. */
export async function applyLines(
  db: Database,
  input: { import: number; from: number; principal: number; nowMs: number },
): Promise<AppliedLines> {
  const { nowMs, ...rest } = input
  crashPoint('import-apply:before')
  const [row] = await callStep<AppliedLines[]>(db, 'apply_import_v1', {
    ...rest,
    limit: importLimits.applyLines,
    now: new Date(nowMs),
  })
  crashPoint('import-apply:after')
  if (row === undefined) throw new TypeError('apply_import_v1 answers with one row')
  return row
}

/** Throws UsageError when none is open. What came in stays. */
export async function abandonImport(
  db: Database,
  input: { bank: string; source: string; principal: number; nowMs: number },
): Promise<{ import: number; state: ImportState; position: number }> {
  const { nowMs, ...rest } = input
  const [row] = await callStep<{ import: number; state: ImportState; position: number }[]>(
    db,
    'abandon_import_v1',
    { ...rest, now: new Date(nowMs) },
  )
  if (row === undefined) throw new TypeError('abandon_import_v1 answers with one row')
  await dropRefusedLines(db)
  return row
}

/** Deletes the staged lines of refused imports, a part at a time. Killed, the next call or the next hour goes on. */
export async function dropRefusedLines(db: Database): Promise<void> {
  const limit = importLimits.applyLines
  for (;;) {
    const [row] = await callStep<{ dropped: number }[]>(db, 'drop_import_lines_v1', { limit })
    if (row === undefined || row.dropped < limit) return
  }
}

export type ImportCounts = {
  source: string
  state: ImportState
  staged: number
  position: number
  adds: number
  deletes: number
  unchanged: number
  refused: number
  replaces: boolean
}

export async function importCounts(db: Database, importId: number): Promise<ImportCounts> {
  const [row] = await ask(
    'read the import',
    db<ImportCounts[]>`
      select source, state, staged, position, adds, deletes, unchanged, refused, replaces
      from bank_import where id = ${importId}`,
  )
  if (row === undefined) throw new TypeError(`there is no import ${importId}`)
  return row
}

const refusedShown = 5

/** `lineRefused`: false where only one of the item's signals was left out. */
export type RefusedLines = {
  reason: ListRefusal
  lineRefused: boolean
  count: number
  /** The first of them in the file. */
  lines: number[]
}

/** Page by page: a list may have ten million. */
export async function refusedLines(
  db: Database,
  { import: importId, staged }: { import: number; staged: number },
): Promise<RefusedLines[]> {
  const found = new Map<string, RefusedLines>()
  for (let after = 0; after < staged; after += importLimits.lookLines) {
    const page = await ask(
      'count the refused lines',
      db<RefusedLines[]>`
        select refused as reason, op is null as "lineRefused", count(*) as count,
          (array_agg(line order by line))[1:${refusedShown}] as lines
        from bank_import_line
        where import = ${importId} and line > ${after} and line <= ${after + importLimits.lookLines} and refused is not null
        group by refused, op is null`,
    )
    for (const one of page) {
      const key = `${one.reason} ${one.lineRefused}`
      const before = found.get(key) ?? { ...one, count: 0, lines: [] }
      const lines = [...before.lines, ...one.lines].slice(0, refusedShown)
      found.set(key, { ...before, count: before.count + one.count, lines })
    }
  }
  return [...found.values()].toSorted((a, b) => b.count - a.count || (a.reason < b.reason ? -1 : 1))
}

/** A part of what would come in, spread over the list: every n-th line, of those up to and with `through`. */
export async function addedLines(
  db: Database,
  input: { import: number; every: number; after: number; through: number; limit: number },
): Promise<{ line: number; signals: NewSignal[] }[]> {
  return ask(
    'read what an import adds',
    db<{ line: number; signals: NewSignal[] }[]>`
      select line, signals from bank_import_line
      where import = ${input.import} and op = 'add' and line > ${input.after} and line <= ${input.through}
        and line % ${input.every} = 0
      order by line limit ${input.limit}`,
  )
}
